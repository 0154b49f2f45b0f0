"""check_agent passes on ours, at home and served, and finds each planted fault, and that one only."""

from __future__ import annotations

import dataclasses
import hashlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, AgentOptions, PolicyFormat
from embodio.agent.client import RemoteAgent
from embodio.agent.contract import ContractError, check_agent
from embodio.agent.errors import ObservationError
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from embodio.envs.embodiment import ActionSpec, Dimension, Embodiment
from tests.support.agent.policies import make_checkpoint, make_format
from tests.support.agent.robots import observation_of, poses, walker, without_statistics, words

CHECKPOINT = make_checkpoint(make_format(chunk=4, history_frames=1))
PROMISES = ["form", "finite", "bounds", "levels", "observation", "memory", "reset", "rows", "reset of rows", "robot"]


class ToyEnv:
    """Gives random observations of a robot, the toy by default, whatever is done."""

    def __init__(self, policy_format: PolicyFormat = CHECKPOINT.format) -> None:
        self.policy_format = policy_format
        self.unwrapped = SimpleNamespace(embodiment=policy_format.embodiment)

    def reset(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        self.step_number = seed
        return self.observation(), {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.step_number += 1
        return self.observation(), 0.0, False, False, {}

    def observation(self) -> dict[str, Any]:
        return observation_of(self.policy_format, self.step_number) | {"instruction": "lift the cube"}


class Plain:
    """An agent without a network and without faults: an action follows from all that was seen since the reset."""

    def __init__(self, embodiment: Embodiment) -> None:
        self.embodiment, self.seen, self.alone = embodiment, [b""], True

    def check_embodiment(self, embodiment: Embodiment) -> None:
        self.embodiment.require_same(embodiment, "use this one")

    def reset(self, instruction: Any = None, rows: Any = None) -> None:
        if rows is None:
            self.alone = not isinstance(instruction, tuple)
            self.seen = [b""] * (1 if self.alone else len(instruction))
        else:
            self.seen = [b"" if again else seen for again, seen in zip(rows, self.seen, strict=True)]

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        arrays = [value for value in observation.values() if isinstance(value, np.ndarray)]
        rows = [arrays] if self.alone else zip(*arrays, strict=True)
        told = [b"".join(part[-1].tobytes() for part in row) for row in rows]  # of a picture, the lowest line
        self.seen = [hashlib.sha256(seen + new).digest() for seen, new in zip(self.seen, told, strict=True)]
        actions = np.array([self.action(np.random.default_rng(list(seen))) for seen in self.seen], np.float32)
        return actions[0] if self.alone else actions

    def action(self, generator: np.random.Generator) -> list[float]:
        kinds = {"binary": lambda d: generator.choice([d.low, d.high]), "word": lambda d: generator.integers(d.high)}
        dimensions = self.embodiment.action.dimensions
        return [kinds.get(d.kind, lambda d: generator.uniform(d.low, d.high))(d) for d in dimensions]


class Faulty:
    """An agent with one fault."""

    def __init__(self, agent: Agent | Plain, fault: str) -> None:
        self.agent, self.fault, self.calls, self.memory = agent, fault, 0, np.zeros((20, 3), np.float32)
        self.before = np.zeros(3, np.float32)

    def reset(self, instruction: Any = None, rows: Any = None) -> None:
        if rows is not None and self.fault == "resets all rows":
            rows = np.ones_like(rows)
        if rows is not None and self.fault == "resets another row":
            rows = np.roll(rows, 1)
        self.agent.reset(instruction=instruction, rows=rows)
        self.before = self.before * 0

    def check_embodiment(self, embodiment: Any) -> None:
        if self.fault == "knows rates only":
            embodiment = dataclasses.replace(self.agent.embodiment, control_hz=embodiment.control_hz)
        if self.fault != "accepts anything":
            self.agent.check_embodiment(embodiment)

    def act(self, observation: dict[str, Any]) -> Any:
        self.calls += 1
        if self.fault == "refuses batches" and np.ndim(observation["front"]) == 4:
            raise ObservationError("one at a time")
        action = self.agent.act(observation)
        changed = {
            "float64": lambda: action.astype(np.float64),
            "a list": lambda: action.tolist(),
            "one axis more": lambda: action[None],
            "out of bounds": lambda: action * 0 + np.float32([1.5, 0, 1]),
            "NaN": lambda: action * np.float32([np.nan, 1, 1]),
            "infinite": lambda: action + np.float32([np.inf, 0, 0]),
            "half a gripper": lambda: action * np.float32([1, 1, 0.5]),
            "never the same": lambda: np.array([np.sin(self.calls), 0, 1], np.float32),
            "read only": lambda: np.frombuffer(action.tobytes(), np.float32).reshape(action.shape),
            "part of the observation": lambda: observation["state"].repeat(2)[:3] * 0,
        }
        if self.fault in changed:
            return changed[self.fault]()
        if self.fault == "writes into the observation":
            observation["front"][0, 0] ^= 255
        if self.fault == "the same memory" and action.ndim == 1:
            self.memory[0] = action
            return self.memory[0]
        if self.fault == "plays what it handed out":
            if action.ndim == 2:
                return action * 0 + np.float32([0, 0, 1])
            action = self.memory[self.calls % 20]
            action[:] = self.before * 0.5
            action[2] = 1.0
            self.before = action
        if self.fault == "float64 in batches" and action.ndim == 2:
            return action.astype(np.float64)
        if self.fault == "writes into batches" and action.ndim == 2:
            observation["front"][0, 0, 0] ^= 255
        if self.fault == "the same batch" and action.ndim == 2:
            self.memory[:3] = action
            return self.memory[:3]
        if self.fault == "rows mixed" and action.ndim == 2:
            action[..., 0] = action[::-1, 0] * 0.5
        return action


def test_ours_keeps_the_contract() -> None:
    assert check_agent(Agent(CHECKPOINT), ToyEnv()) == PROMISES
    with serving(AgentPolicy(Agent(CHECKPOINT)), ServerSettings(port=0)) as url, RemoteAgent(url) as remote:
        assert check_agent(remote, ToyEnv()) == PROMISES
    assert check_agent(Agent(CHECKPOINT), ToyEnv(), batch=False) == [p for p in PROMISES if "rows" not in p]


def test_an_agent_that_draws_keeps_the_contract() -> None:
    assert check_agent(Agent(CHECKPOINT, options=AgentOptions(temperature=1.0)), ToyEnv()) == PROMISES


def test_a_faulty_agent_without_a_fault_passes() -> None:
    for agent in (Agent(CHECKPOINT), Plain(CHECKPOINT.format.embodiment)):
        assert check_agent(Faulty(agent, ""), ToyEnv()) == PROMISES


@pytest.mark.parametrize(
    ("fault", "promise", "message"),
    [
        ("float64", "form", r"expected an action float32 \(3,\), got float64"),
        ("a list", "form", "got list"),
        ("one axis more", "form", r"got float32 \(1, 3\)"),
        ("out of bounds", "bounds", "x is 1.5, outside -1.0 to 1.0"),
        ("NaN", "finite", "x is nan"),
        ("infinite", "finite", "x is inf"),
        ("half a gripper", "levels", "gripper is .*binary"),
        ("writes into the observation", "observation", "step 0: act changed the observation's 'front'"),
        ("the same memory", "memory", "shares memory"),
        ("plays what it handed out", "memory", "writing into an earlier"),
        ("read only", "memory", "cannot be written"),
        ("never the same", "reset", "led to a different action"),
        ("rows mixed", "rows", "row . of a batch"),
        ("refuses batches", "rows", "ObservationError: one at a time"),
        ("resets all rows", "reset of rows", "row 1 was reset alone, and row [02]"),
        ("resets another row", "reset of rows", "row 1 was reset alone"),
        ("float64 in batches", "rows", r"expected an action float32 \(3, 3\), got float64"),
        ("the same batch", "memory", "of a batch: .*memory that is reused"),
        ("writes into batches", "observation", "of a batch: .*changed the observation's 'front'"),
        ("accepts anything", "robot", "control_hz was accepted"),
        ("knows rates only", "robot", "unit of an action was accepted"),
    ],
)
def test_each_planted_fault_is_found_and_no_other(fault: str, promise: str, message: str) -> None:
    with pytest.raises(ContractError, match=message) as found:
        check_agent(Faulty(Plain(CHECKPOINT.format.embodiment), fault), ToyEnv())
    assert list(found.value.broken) == [promise]


class Replaced:
    """An agent, one number of whose actions is another."""

    def __init__(self, agent: Plain, place: int, number: float) -> None:
        self.agent, self.place, self.number = agent, place, number
        self.reset, self.check_embodiment = agent.reset, agent.check_embodiment

    def act(self, observation: dict[str, Any]) -> np.ndarray:
        action = self.agent.act(observation)
        action[..., self.place] = self.number
        return action


@pytest.mark.parametrize("make", [words, poses])
def test_words_and_poses_keep_the_contract(make: Any) -> None:
    policy_format = make()
    agent = Agent(make_checkpoint(policy_format))
    assert check_agent(agent, ToyEnv(policy_format)) == PROMISES


@pytest.mark.parametrize(
    ("make", "place", "number", "promise", "message"),
    [
        (words, 0, 1.5, "levels", "move is 1.5, but it is the index of a word: 0, 1, ..., 5"),
        (words, 0, 1e-3, "levels", "index of a word"),
        (words, 0, 6.0, "bounds", "move is 6.0, outside 0.0 to 5.0"),
        (words, 0, float("nan"), "finite", "move is nan"),
        (poses, 0, 0.5, "levels", "verb is 0.5"),
        (poses, 1, 0.2, "bounds", "pose0_x is 0.2.*outside 0.25 to 0.75"),
        (poses, 3, 360.5, "bounds", "pose0_turn is 360.5"),
    ],
)
def test_planted_faults_of_words_and_poses(make: Any, place: int, number: float, promise: str, message: str) -> None:
    policy_format = make()
    with pytest.raises(ContractError, match=message) as found:
        check_agent(Replaced(Plain(policy_format.embodiment), place, number), ToyEnv(policy_format), batch=False)
    assert list(found.value.broken) == [promise]


def test_limits_that_float32_does_not_hold_are_kept() -> None:
    """0.1 and 0.3 are none of float32: its nearest numbers, and the nearest inside, are on the limit."""
    dimensions = (Dimension("x", "m", 0.1, 0.3), Dimension("grip", "", 0.1, 0.3, "binary"))
    action = ActionSpec(dimensions, "absolute", "base", "none", "none", "test")
    robot = dataclasses.replace(walker(), action=action)
    policy_format = without_statistics(robot, chunk=2)
    for choose in (np.float32(0.1), np.float32(0.3), np.nextafter(np.float32(0.3), np.float32(0))):
        agent = Replaced(Plain(robot), 1, float(choose))
        assert "levels" in check_agent(agent, ToyEnv(policy_format), batch=False)
    with pytest.raises(ContractError, match=r"grip is 0\.29.*binary"):
        check_agent(Replaced(Plain(robot), 1, 0.299), ToyEnv(policy_format), batch=False)
