"""Idle steps: moments in which the robot is told to do next to nothing and does next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.tasks.record_task import Place, RecordTask
from embodio.envs.embodiment import ActionSpec, Dimension
from embodio.model.example import Example


@dataclass(frozen=True, kw_only=True)
class IdleConfig:
    """When a step is idle: both numbers are below their thresholds, which are shares of each dimension's range.

    Attributes:
        action: norm of the action; for absolute actions, of its change since the step before.
        state: norm of the change of the state until the next step.
        action_key: the field with actions.
    """

    action: float
    state: float
    action_key: str = "action"

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        for name in ("action", "state"):
            if not getattr(self, name) > 0.0:
                raise DatasetError(f"idle.{name}: got {getattr(self, name)}, expected a threshold above 0")


def idle_steps(
    actions: npt.ArrayLike, states: npt.ArrayLike, action: ActionSpec, state: Sequence[Dimension], config: IdleConfig
) -> npt.NDArray[np.bool_]:
    """Finds the idle steps of one episode.

    A binary dimension, such as a gripper command, counts only where it changes; a robot that is steered by words is
    never idle, as each of them means something. The last step has no next state, so
    only its action counts. What is not finite is not idle: it is left for the task to report.

    Args:
        actions: [T, A].
        states: [T, S].
        action: meaning of the A numbers.
        state: the S dimensions.
        config: thresholds.

    Returns:
        bool [T], true where idle.

    Raises:
        DatasetError: the numbers of dimensions differ from what the robot has.
    """
    told, is_at = np.asarray(actions, dtype=np.float64), np.asarray(states, dtype=np.float64)
    for name, array, size in (("action", told, len(action.dimensions)), ("state", is_at, len(state))):
        if array.ndim != 2 or array.shape[1] != size:
            raise DatasetError(f"{name}: expected [T, {size}], got {array.shape}; give the data set's own embodiment")
    binary = np.array([d.kind == "binary" for d in action.dimensions], dtype=bool)
    change = np.diff(told, axis=0, prepend=told[:1])
    if action.mode == "delta":
        change[:, ~binary] = told[:, ~binary]
    moved = np.diff(is_at, axis=0, append=is_at[-1:])
    commanded = np.linalg.norm(change / _spans(action.dimensions), axis=1)
    went = np.linalg.norm(moved / _spans(state), axis=1)
    if any(d.kind == "word" for d in action.dimensions):
        return np.zeros(len(told), dtype=np.bool_)
    idle: npt.NDArray[np.bool_] = (commanded < config.action) & (went < config.state)
    return idle


class WithoutIdle:
    """A task without the records of idle steps; any task with numbered records can be wrapped.

    The idle steps are found once, when it is made, from the numbers of each episode; images are not read.

    Args:
        task: whose records are filtered.
        source: the data set of the task.
        config: when a step is idle.

    Attributes:
        dropped: how many records were left out.

    Raises:
        DatasetError: no record is left, or the data set does not say which robot it is of.
    """

    def __init__(self, task: RecordTask, source: EpisodeSource, config: IdleConfig) -> None:
        self._task = task
        robot = source.embodiment
        kept, episode, idle = list[int](), -1, np.zeros(0, dtype=bool)
        for index in range(len(task)):
            place = task.place(index)
            if place.episode != episode:
                episode, view = place.episode, source.episode(place.episode)
                actions, states = view.array(config.action_key), view.array("observation/state")
                idle = idle_steps(actions, states, robot.action, robot.state, config)
            if not idle[place.step]:
                kept.append(index)
        if not kept:
            raise DatasetError(f"idle: all {len(task)} records of {source.name} are idle; lower the thresholds")
        self._kept = np.array(kept, dtype=np.int64)
        self.dropped = len(task) - len(kept)

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that were left out because they are damaged."""
        return self._task.damaged

    def __len__(self) -> int:
        """Records that are left."""
        return len(self._kept)

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return self._task.place(self._record(index))

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index`."""
        return self._task.example(self._record(index), generator)

    def _record(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index}: there are {len(self)}")
        return int(self._kept[index])


def _spans(dimensions: Sequence[Dimension]) -> npt.NDArray[np.float64]:
    return np.array([d.high - d.low for d in dimensions], dtype=np.float64)
