"""Rollouts: a policy acts in an environment until success, failure, the horizon, or a simulator error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodio.envs.errors import SimulatorError
from embodio.envs.policy import Policy

Status = Literal["success", "failure", "timeout", "abstained", "error"]


@dataclass(frozen=True)
class StepRecord:
    """One recorded step.

    Attributes:
        observation: the policy's observation.
        action: the policy's action, float32 [A].
        reward: reward of the step.
        terminated: whether the step ended the task.
        truncated: whether the horizon was reached.
        info: the environment's info after the step.
        next_observation: the observation after the step.
    """

    observation: Any
    action: NDArray[np.float32]
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]
    next_observation: Any


OnStep = Callable[[StepRecord], None]


@dataclass(frozen=True)
class EpisodeResult:
    """The result of one episode.

    Attributes:
        seed: seed given to `env.reset`.
        status: "success"; "failure" (ended without success); "timeout" (horizon reached); "abstained" (the policy
            refused to act); "error" (the simulator failed, which is not the fault of the policy).
        steps: number of actions executed.
        seconds: wall-clock time of the episode.
        message: the simulator's error, for "error"; what the policy said, for "abstained".
        first_success: number of actions after which the task was done for the first time, even if it was undone later;
            None if it never was.
        task: name of the task that the seed chose, for environments with several; "" for others.
        path: length of the way taken in metres; None where the environment does not give it.
        shortest: length of the shortest way to the goal in metres; likewise.
    """

    seed: int
    status: Status
    steps: int
    seconds: float
    message: str = ""
    first_success: int | None = None
    task: str = ""
    path: float | None = None
    shortest: float | None = None


def run_episode(
    env: gymnasium.Env[Any, Any],
    policy: Policy,
    seed: int,
    on_step: OnStep | None = None,
    abstains: tuple[type[Exception], ...] = (),
) -> EpisodeResult:
    """Play one episode.

    Args:
        env: its observation may hold "instruction", which is given to `policy.reset`; its info holds "success", and
            that of `reset` may hold "task", the name of the task that the seed chose. Where the goal is a place, its
            info may hold "path" and "shortest", the lengths of the way so far and of the shortest one in metres.
        policy: anything with `reset(instruction=...)` and `act(observation)`.
        seed: seed of the episode.
        on_step: called after every step, e.g. to record it.
        abstains: what `policy.act` raises if it refuses to act, such as `embodio.agent.Abstained`.

    Returns:
        The result. A SimulatorError becomes status "error"; any other exception is a bug and is raised.
    """
    start, steps, message, task = time.perf_counter(), 0, "", ""
    first_success: int | None = None
    info: dict[str, Any] = {}
    try:
        observation, info = env.reset(seed=seed)
        task = str(info.get("task", ""))
        policy.reset(instruction=observation.get("instruction"))
        while True:
            action = policy.act(observation)
            next_observation, reward, terminated, truncated, info = env.step(action)
            steps += 1
            if first_success is None and info.get("success", False):
                first_success = steps
            if on_step is not None:
                step = (observation, action, float(reward), bool(terminated), bool(truncated), info, next_observation)
                on_step(StepRecord(*step))
            observation = next_observation
            if terminated or truncated:
                status = _status(bool(terminated), bool(info.get("success", False)))
                break
    except SimulatorError as error:
        status, message = "error", str(error)
    except abstains as error:
        status, message = "abstained", str(error)
    seconds, lengths = time.perf_counter() - start, (info.get("path"), info.get("shortest"))
    return EpisodeResult(seed, status, steps, seconds, message, first_success, task, *lengths)


def rollout(
    env: gymnasium.Env[Any, Any] | Callable[[], gymnasium.Env[Any, Any]],
    policy: Policy,
    seeds: Iterable[int],
    on_step: OnStep | None = None,
) -> Iterator[EpisodeResult]:
    """Play one episode per seed, yielding each result as soon as it is known.

    Args:
        env: an environment, or a function that creates one. With a function, the environment is recreated after a
            simulator error and closed at the end; otherwise the next `reset` of the environment must recover by
            itself, as in `RobosuiteEnv`.
        policy: anything with `reset(instruction=...)` and `act(observation)`.
        seeds: seed of each episode.
        on_step: called after every step of every episode.
    """
    factory = None if isinstance(env, gymnasium.Env) else env
    current = env if isinstance(env, gymnasium.Env) else env()
    try:
        for seed in seeds:
            result = run_episode(current, policy, seed, on_step)
            yield result
            if result.status == "error" and factory is not None:
                current.close()
                current = factory()
    finally:
        if factory is not None:
            current.close()


def _status(terminated: bool, success: bool) -> Status:
    if success:
        return "success"
    return "failure" if terminated else "timeout"
