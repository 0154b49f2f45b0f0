"""The agent contract: `check_agent` tests the promises that environments, servers and safety officers rely on."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import AgentError
from embodio.envs.embodiment import ActionSpec, Dimension, Embodiment
from embodio.envs.errors import EmbodimentMismatch

STEPS = 6
"""Steps of each trial; more than the half chunk that agents play before they plan again."""

Actions = list[npt.NDArray[Any]]
Play = list[dict[str, Any]]


class ContractError(AgentError):
    """An agent breaks promises; the message lists which, and where.

    Attributes:
        broken: name of each broken promise -> the violation.
    """

    def __init__(self, broken: dict[str, str]) -> None:
        self.broken = broken
        super().__init__("\n".join(f"{name}: {how}" for name, how in broken.items()))


def check_agent(agent: Any, env: Any, *, seed: int = 0, batch: bool = True) -> list[str]:
    """Tests an agent in an environment.

    Args:
        agent: an `Agent`, a `RemoteAgent`, or anything else with `reset(instruction=...)` and `act(observation)`.
            `check_embodiment` is tested if it exists, but not required.
        env: a gymnasium environment with an `embodiment`.
        seed: seed of the episode.
        batch: also test batches of observations; False for agents that take single observations only.

    Returns:
        The promises tested, all of them kept.

    Raises:
        ContractError: if promises are broken; lists all of them.
        AgentError: if the environment is a vector environment, or has no `embodiment`.
    """
    embodiment: Embodiment = _embodiment_of(env)
    found: dict[str, str | None] = {}
    play, instruction = _play(agent, env, embodiment.action, seed, found)
    if found["form"] is None:
        trial = _Trial(agent, play, instruction, len(embodiment.action.dimensions))
        found["memory"] = _first(trial.shared_memory())
        found["reset"] = _first(trial.another_after_reset())
        if found["reset"] is None:
            found["memory"] = found["memory"] or _first(trial.written_into())
            if batch:
                for promise, fault in _first_of_each(trial.faults_of_batches()).items():
                    found[promise] = found.get(promise) or fault
                found["rows"] = found.get("rows") or _first(trial.rows_that_differ())
                found["reset of rows"] = _first(trial.rows_that_are_disturbed()) if found["rows"] is None else None
    if hasattr(agent, "check_embodiment"):
        found["robot"] = _accepts_another(agent, embodiment)
    broken = {name: how for name, how in found.items() if how is not None}
    if broken:
        raise ContractError(broken)
    agent.reset(instruction=instruction)
    return list(found)


def _embodiment_of(env: Any) -> Embodiment:
    if hasattr(env, "num_envs"):
        raise AgentError("env: got a vector environment; give a single one, batches are made of its observations")
    found = getattr(getattr(env, "unwrapped", env), "embodiment", None)
    if not isinstance(found, Embodiment):
        raise AgentError("env: it has no `embodiment`; set it to the embodio.envs.Embodiment of the robot")
    return found


def _first(faults: Iterator[str]) -> str | None:
    try:
        return next(faults, None)
    except AgentError as error:
        return f"{type(error).__name__}: {error}"


def _first_of_each(faults: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        for promise, fault in faults:
            found.setdefault(promise, fault)
    except AgentError as error:
        found["rows"] = f"{type(error).__name__}: {error}"
    return found


def _play(agent: Any, env: Any, action: ActionSpec, seed: int, found: dict[str, str | None]) -> tuple[Play, Any]:
    """Plays an episode, and checks each step by itself."""
    observation, _ = env.reset(seed=seed)
    instruction = observation.get("instruction", "do the task")
    agent.reset(instruction=instruction)
    judges: dict[str, Callable[[Any, ActionSpec], str | None]]
    judges = {
        "form": lambda chosen, action: _form(chosen, (len(action.dimensions),)),
        "finite": _finite,
        "bounds": _bounds,
        "levels": _levels,
    }
    found |= dict.fromkeys([*judges, "observation"])
    seen: Play = []
    for step in range(STEPS):
        kept = {key: copy.deepcopy(value) for key, value in observation.items()}
        chosen = agent.act(observation)
        for name, judge in judges.items():
            how = judge(chosen, action)
            found[name] = found[name] or (how and f"step {step}: {how}")
        for key, value in kept.items():
            if not np.array_equal(np.asarray(value), np.asarray(observation[key])):
                changed = f"step {step}: act changed the observation's {key!r}; copy before writing"
                found["observation"] = found["observation"] or changed
        seen.append(kept)
        if found["form"] or found["finite"] or found["bounds"]:
            break  # the action is not safe to play
        observation, _, terminated, truncated, _ = env.step(chosen)
        if terminated or truncated:
            break
    return seen, instruction


def _form(chosen: Any, shape: tuple[int, ...]) -> str | None:
    if isinstance(chosen, np.ndarray) and chosen.dtype == np.float32 and chosen.shape == shape:
        return None
    got = f"{chosen.dtype} {chosen.shape}" if isinstance(chosen, np.ndarray) else type(chosen).__name__
    return f"expected an action float32 {shape}, got {got}"


def _numbers(chosen: Any, action: ActionSpec) -> Iterator[tuple[float, Any]]:
    """The numbers of an action and their dimensions; nothing if shape or dtype is wrong."""
    values = np.asarray(chosen)
    if values.shape == (len(action.dimensions),) and values.dtype.kind in "fiu":
        yield from zip(values.tolist(), action.dimensions, strict=True)


def _finite(chosen: Any, action: ActionSpec) -> str | None:
    wrong = [(x, d) for x, d in _numbers(chosen, action) if not np.isfinite(x)]
    return f"{wrong[0][1].name} is {wrong[0][0]}; actions must be finite" if wrong else None


def _ends(dimension: Dimension) -> tuple[float, float]:
    """The limits rounded to float32."""
    return float(np.float32(dimension.low)), float(np.float32(dimension.high))


def _bounds(chosen: Any, action: ActionSpec) -> str | None:
    for number, d in _numbers(chosen, action):
        low, high = _ends(d)
        if np.isfinite(number) and not low <= number <= high:
            return f"{d.name} is {number}, outside {d.low} to {d.high}"
    return None


def _levels(chosen: Any, action: ActionSpec) -> str | None:
    for number, d in _numbers(chosen, action):
        low, high = _ends(d)
        edge = 1e-6 * (high - low)  # a limit that float32 cannot represent is rounded inwards
        if d.kind == "binary" and low + edge < number < high - edge:
            return f"{d.name} is {number}, but it is binary: {d.low} or {d.high}"
        if d.kind == "word" and np.isfinite(number) and not float(number).is_integer():
            return f"{d.name} is {number}, but it is the index of a word: 0, 1, ..., {d.high:g}"
    return None


def _differ(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return not np.array_equal(a, b, equal_nan=True)


class _Trial:
    """Replays recorded observations in several ways; each method yields the faults that it finds."""

    def __init__(self, agent: Any, play: Play, instruction: Any, size: int) -> None:
        self.agent, self.play, self.instruction, self.size = agent, play, instruction, size

        self._seeded = "seed" in inspect.signature(agent.reset).parameters

    def begin(self, rows: int | None = None) -> None:
        """Starts an episode, or one in each row, all with the same seed where the agent takes one."""
        seed: dict[str, Any] = {"seed": 0 if rows is None else [0] * rows} if self._seeded else {}
        self.agent.reset(instruction=self.instruction if rows is None else (self.instruction,) * rows, **seed)

    def episode(self, play: Play) -> Actions:
        self.begin()
        return [np.array(self.agent.act(observation)) for observation in play]

    def shared_memory(self) -> Iterator[str]:
        """Finds an action that shares memory with an earlier one or with the observation."""
        self.begin()
        given: Actions = []
        for step, observation in enumerate(self.play):
            chosen = self.agent.act(observation)
            inputs = [value for value in observation.values() if isinstance(value, np.ndarray)]
            if any(np.shares_memory(chosen, other) for other in [*given, *inputs]):
                yield f"step {step}: the action shares memory with an earlier one or the observation; return a copy"
            given.append(chosen)

    def written_into(self) -> Iterator[str]:
        """Finds an action that changes when an earlier one is written into."""
        expected = self.episode(self.play)
        self.begin()
        for step, observation in enumerate(self.play):
            chosen = self.agent.act(observation)
            if not chosen.flags.writeable:
                yield f"step {step}: the action cannot be written into; return a copy"
                return
            if _differ(chosen, expected[step]):
                yield f"step {step}: writing into an earlier action changed this one; return a copy"
            chosen[:] = 0.123

    def another_after_reset(self) -> Iterator[str]:
        """Finds a different action for the same observations after another episode."""
        first = self.episode(self.play)
        self.episode(self.play[::-1][:2])
        for step, (a, b) in enumerate(zip(first, self.episode(self.play), strict=True)):
            if _differ(a, b):
                yield f"step {step}: after a reset the same observations led to a different action"

    def rows(self) -> list[Play]:
        return [self.play, self.play[::-1], self.play[1:] + self.play[:1]]

    def step_together(self, rows: list[Play], step: int) -> npt.NDArray[Any]:
        return np.array(self.agent.act(self.batch(rows, step)))

    def batch(self, rows: list[Play], step: int) -> dict[str, Any]:
        keys = [key for key, value in self.play[0].items() if not isinstance(value, str)]
        return {key: np.stack([row[step][key] for row in rows]) for key in keys}

    def faults_of_batches(self) -> Iterator[tuple[str, str]]:
        """Finds broken promises of batches: wrong shape or dtype, reused memory, a changed observation."""
        rows, given = self.rows(), list[Any]()
        self.begin(len(rows))
        for step in range(len(self.play)):
            seen = self.batch(rows, step)
            chosen = self.agent.act(seen)
            if form := _form(chosen, (len(rows), self.size)):
                yield "rows", f"step {step}: {form}"
                return
            if not chosen.flags.writeable or any(np.shares_memory(chosen, other) for other in given):
                yield "memory", f"step {step} of a batch: the actions are in memory that is reused; return a copy"
            for key, value in self.batch(rows, step).items():
                if _differ(value, seen[key]):
                    yield (
                        "observation",
                        f"step {step} of a batch: act changed the observation's {key!r}; copy before writing",
                    )
            given.append(chosen)

    def rows_that_differ(self) -> Iterator[str]:
        """A row of a batch that acts otherwise than alone."""
        rows = self.rows()
        alone = [self.episode(row) for row in rows]
        self.begin(len(rows))
        for step in range(len(self.play)):
            chosen = self.step_together(rows, step)
            for index, expected in enumerate(alone):
                if _differ(chosen[index], expected[step]):
                    yield f"step {step}: row {index} of a batch acts differently from the same row alone"

    def rows_that_are_disturbed(self) -> Iterator[str]:
        """Finds a row that does not restart when it is reset, or another row that is disturbed by it."""
        rows, middle = self.rows(), len(self.play) // 2
        alone = [self.episode(row) for row in rows]
        begun = self.episode(rows[1][middle:])
        self.begin(len(rows))
        for step in range(len(self.play)):
            if step == middle:
                mask = np.arange(len(rows)) == 1
                self.agent.reset(instruction=(self.instruction,) * len(rows), rows=mask)
            chosen = self.step_together(rows, step)
            for index, expected in enumerate(alone):
                wanted = begun[step - middle] if index == 1 and step >= middle else expected[step]
                if _differ(chosen[index], wanted):
                    yield f"step {step}: row 1 was reset alone, and row {index} does not act as it would by itself"


def _accepts_another(agent: Any, embodiment: Embodiment) -> str | None:
    agent.check_embodiment(embodiment)
    for field, foreign in _foreign(embodiment):
        try:
            agent.check_embodiment(foreign)
        except EmbodimentMismatch:
            continue
        return f"a robot with another {field} was accepted"
    return None


def _foreign(embodiment: Embodiment) -> Iterator[tuple[str, Embodiment]]:
    """Names of fields, each with an embodiment that differs in that field."""
    action = embodiment.action
    first = dataclasses.replace(action.dimensions[0], unit=f"10 {action.dimensions[0].unit}")
    units = dataclasses.replace(action, dimensions=(first, *action.dimensions[1:]))
    mode = dataclasses.replace(action, mode="delta" if action.mode == "absolute" else "absolute")
    yield "control_hz", dataclasses.replace(embodiment, control_hz=embodiment.control_hz * 2)
    yield "unit of an action", dataclasses.replace(embodiment, action=units)
    yield "mode of actions", dataclasses.replace(embodiment, action=mode)
    if embodiment.cameras:
        yield "number of cameras", dataclasses.replace(embodiment, cameras=embodiment.cameras[:-1])
    if embodiment.state:
        yield "state", dataclasses.replace(embodiment, state=embodiment.state[1:])
