"""check_agent: does an agent keep the promises that an environment, a server and a safety officer rely on?"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import AgentError
from embodio.envs.embodiment import ActionSpec, Embodiment
from embodio.envs.errors import EmbodimentMismatch

STEPS = 6
"""Steps of each try; more than the half chunk that agents play before they plan anew."""


class ContractError(AgentError):
    """An agent breaks a promise; the message says which, and where."""


class Acting(Protocol):
    """What is checked: an `Agent`, a `RemoteAgent`, or anything else that acts."""

    def reset(self, instruction: Any = None) -> None:
        """Begin an episode, or N of them."""

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """The next action."""


def check_agent(agent: Any, env: Any, *, seed: int = 0, batch: bool = True) -> list[str]:
    """Tries an agent in an environment.

    Args:
        agent: anything with `reset(instruction=...)` and `act(observation)`. `check_embodiment` is tried where it
            exists, and demanded from nothing.
        env: a gymnasium environment with an `embodiment`.
        seed: of the episode that is played.
        batch: also try a batch of observations; False for agents that take one at a time by design.

    Returns:
        What was checked.

    Raises:
        ContractError: at the first promise that is broken.
    """
    embodiment: Embodiment = env.unwrapped.embodiment
    observations, instruction = _play(agent, env, embodiment.action, seed)
    checked = ["dtype, shape, bounds and finiteness", "observations are not changed"]
    _require_fresh_memory(agent, observations, instruction)
    checked.append("returned arrays are not shared")
    _require_same_again(agent, observations, instruction)
    checked.append("reset begins the same episode again")
    if batch:
        _require_rows_alone(agent, observations, instruction)
        checked.append("a row of a batch acts as it does alone")
    if hasattr(agent, "check_embodiment"):
        _require_refusal(agent, embodiment)
        checked.append("another robot is refused")
    agent.reset(instruction=instruction)
    return checked


def _play(agent: Acting, env: Any, action: ActionSpec, seed: int) -> tuple[list[dict[str, Any]], Any]:
    observation, _ = env.reset(seed=seed)
    instruction = observation.get("instruction", "do the task")
    agent.reset(instruction=instruction)
    seen = []
    for step in range(STEPS):
        kept = {key: copy.deepcopy(value) for key, value in observation.items()}
        chosen = agent.act(observation)
        for key, value in kept.items():
            if not np.array_equal(np.asarray(value), np.asarray(observation[key])):
                raise ContractError(f"step {step}: act changed the observation's {key!r}; copy before writing")
        _require_action(chosen, action, step)
        seen.append(kept)
        observation, _, terminated, truncated, _ = env.step(chosen)
        if terminated or truncated:
            break
    return seen, instruction


def _require_action(chosen: Any, action: ActionSpec, step: int) -> None:
    size = len(action.dimensions)
    if not isinstance(chosen, np.ndarray) or chosen.dtype != np.float32 or chosen.shape != (size,):
        found = f"{chosen.dtype} {chosen.shape}" if isinstance(chosen, np.ndarray) else type(chosen).__name__
        raise ContractError(f"step {step}: expected an action float32 ({size},), got {found}")
    for number, dimension in zip(chosen.tolist(), action.dimensions, strict=True):
        if not np.isfinite(number):
            raise ContractError(f"step {step}: {dimension.name} is {number}; actions must be finite")
        if not dimension.low <= number <= dimension.high:
            raise ContractError(
                f"step {step}: {dimension.name} is {number}, outside {dimension.low} to {dimension.high}"
            )
        if dimension.kind == "binary" and number not in (np.float32(dimension.low), np.float32(dimension.high)):
            raise ContractError(f"step {step}: {dimension.name} is {number}, but it is binary")


def _episode(agent: Acting, observations: list[dict[str, Any]], instruction: Any) -> list[npt.NDArray[np.float32]]:
    agent.reset(instruction=instruction)
    return [np.array(agent.act(observation)) for observation in observations]


def _require_fresh_memory(agent: Acting, observations: list[dict[str, Any]], instruction: Any) -> None:
    expected = _episode(agent, observations, instruction)
    agent.reset(instruction=instruction)
    given: list[npt.NDArray[np.float32]] = []
    for step, observation in enumerate(observations):
        chosen = agent.act(observation)
        if any(np.shares_memory(chosen, earlier) for earlier in given):
            raise ContractError(f"step {step}: the action shares memory with an earlier one; return a copy")
        if not np.array_equal(chosen, expected[step]):
            raise ContractError(f"step {step}: writing into an earlier action changed this one; return a copy")
        given.append(chosen)
        chosen[:] = 0.123


def _require_same_again(agent: Acting, observations: list[dict[str, Any]], instruction: Any) -> None:
    first = _episode(agent, observations, instruction)
    _episode(agent, observations[::-1][:2], instruction)
    for step, (a, b) in enumerate(zip(first, _episode(agent, observations, instruction), strict=True)):
        if not np.array_equal(a, b):
            raise ContractError(f"step {step}: after a reset the same observations led to another action")


def _require_rows_alone(agent: Acting, observations: list[dict[str, Any]], instruction: Any) -> None:
    orders: list[Callable[[list[Any]], list[Any]]] = [list, lambda x: x[::-1], lambda x: x[1:] + x[:1]]
    rows = [order(observations) for order in orders]
    alone = [_episode(agent, row, instruction) for row in rows]
    agent.reset(instruction=(instruction,) * len(rows))
    for step in range(len(observations)):
        batch = {
            key: np.stack([row[step][key] for row in rows])
            for key, value in observations[0].items()
            if not isinstance(value, str)
        }
        chosen = agent.act(batch)
        for index, expected in enumerate(alone):
            if not np.array_equal(chosen[index], expected[step]):
                raise ContractError(f"step {step}: row {index} of a batch acts differently from the same row alone")


def _require_refusal(agent: Any, embodiment: Embodiment) -> None:
    foreign = dataclasses.replace(embodiment, name=f"{embodiment.name}-foreign", control_hz=embodiment.control_hz * 2)
    agent.check_embodiment(embodiment)
    try:
        agent.check_embodiment(foreign)
    except EmbodimentMismatch:
        return
    raise ContractError("check_embodiment: a robot with another control_hz was accepted")
