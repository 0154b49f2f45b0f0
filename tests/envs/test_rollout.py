"""The rollout loop tells success, failure, timeout and error apart, and shows every step to a hook."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from embodio.envs import SimulatorError, StepRecord, rollout, run_episode


class Countdown(gymnasium.Env):
    """Ends after three steps in the way that the seed asks for."""

    observation_space = spaces.Dict({"n": spaces.Discrete(10)})
    action_space = spaces.Box(-1, 1, (1,), np.float32)
    ENDINGS = ("success", "failure", "timeout", "error in step", "error in reset", "bug", "undone")

    def __init__(self) -> None:
        self.closed, self.broken = False, False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        super().reset(seed=seed)
        if self.broken:
            raise SimulatorError("still broken")
        self.ending, self.n = self.ENDINGS[seed], 0
        if self.ending == "error in reset":
            self.broken = True
            raise SimulatorError("no start")
        return {"n": 0, "instruction": f"do {seed}"}, {"task": "count"} if self.ending == "undone" else {}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        self.n += 1
        over = self.n == 3
        if over and self.ending == "error in step":
            self.broken = True
            raise SimulatorError("exploded")
        if over and self.ending == "bug":
            raise ZeroDivisionError
        success = (over and self.ending == "success") or (self.n == 2 and self.ending == "undone")
        terminated = over and self.ending in ("success", "failure")
        observation = {"n": self.n, "instruction": "do"}
        return observation, float(success), terminated, over and not terminated, {"success": success}

    def close(self) -> None:
        self.closed = True


class Constant:
    """Always the same action; remembers its instructions."""

    def __init__(self) -> None:
        self.instructions: list[str | None] = []

    def reset(self, instruction: str | None = None) -> None:
        self.instructions.append(instruction)

    def act(self, observation: Any) -> np.ndarray:
        return np.array([0.5], np.float32)


@pytest.mark.parametrize(("seed", "status"), [(0, "success"), (1, "failure"), (2, "timeout")])
def test_endings_are_told_apart(seed, status):
    result = run_episode(Countdown(), Constant(), seed)
    assert (result.seed, result.status, result.steps, result.message) == (seed, status, 3, "")
    assert result.seconds >= 0


def test_simulator_error_is_an_error_not_a_failure():
    result = run_episode(Countdown(), Constant(), 3)
    assert (result.status, result.steps, result.message) == ("error", 2, "exploded")
    assert run_episode(Countdown(), Constant(), 4).status == "error"


def test_bugs_are_raised():
    with pytest.raises(ZeroDivisionError):
        run_episode(Countdown(), Constant(), 5)


def test_policy_is_reset_with_the_instruction():
    policy = Constant()
    list(rollout(Countdown(), policy, [1, 2]))
    assert policy.instructions == ["do 1", "do 2"]


def test_hook_sees_every_step():
    records: list[StepRecord] = []
    run_episode(Countdown(), Constant(), 0, records.append)
    assert [record.observation["n"] for record in records] == [0, 1, 2]
    assert [record.next_observation["n"] for record in records] == [1, 2, 3]
    assert [record.reward for record in records] == [0, 0, 1]
    assert [record.terminated for record in records] == [False, False, True]
    assert not any(record.truncated for record in records)
    assert records[-1].info == {"success": True}
    assert records[0].action == np.array([0.5], np.float32)


def test_results_come_one_by_one():
    results = rollout(Countdown(), Constant(), iter([0, 5]))
    assert next(results).status == "success"
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_factory_makes_the_env_again_after_an_error():
    made: list[Countdown] = []

    def factory() -> Countdown:
        made.append(Countdown())
        return made[-1]

    results = list(rollout(factory, Constant(), [0, 3, 0, 4, 1]))
    assert [result.status for result in results] == ["success", "error", "success", "error", "failure"]
    assert len(made) == 3
    assert all(env.closed for env in made)


def test_given_env_is_neither_replaced_nor_closed():
    env = Countdown()
    results = list(rollout(env, Constant(), [3, 0]))
    assert [result.status for result in results] == ["error", "error"]
    assert not env.closed


def test_success_at_any_step_and_at_the_last_are_both_recorded() -> None:
    env = Countdown()
    results = [run_episode(env, Constant(), seed) for seed in (0, 1, env.ENDINGS.index("undone"))]
    assert [(result.status, result.first_success) for result in results] == [
        ("success", 3),
        ("failure", None),
        ("timeout", 2),
    ]
    assert [result.task for result in results] == ["", "", "count"]


def test_a_policy_may_refuse_to_act_where_the_caller_expects_it() -> None:
    class Refuses(Constant):
        def act(self, observation: dict) -> np.ndarray:
            if observation["n"] == 2:
                raise LookupError("there is no third one")
            return super().act(observation)

    result = run_episode(Countdown(), Refuses(), 0, abstains=(LookupError,))
    assert (result.status, result.steps, result.message) == ("abstained", 2, "there is no third one")
    with pytest.raises(LookupError):
        run_episode(Countdown(), Refuses(), 0)
