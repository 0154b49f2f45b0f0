"""Steps of a trajectory as images and token ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ObjectiveConfig, ObjectiveContext
from embodio.datasets.objectives.parts.asking import able, frame_slots
from embodio.datasets.objectives.parts.material import unusable
from embodio.datasets.records.record import Record, Trajectory
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.locations.spatial import POSITION, POSITION_TOKENS, write_position

Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class StepsConfig(ObjectiveConfig):
    """Settings of objectives on trajectories.

    Attributes:
        ahead: steps from the last image that is given to what is asked for.
        stride: steps between the images that are given.
        frames: largest number of earlier images; the network's slots for histories limit it too.
    """

    ahead: int = 1
    stride: int = 1
    frames: int = 4

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        for name, least in (("ahead", 1), ("stride", 1), ("frames", 0)):
            if getattr(self, name) < least:
                raise DatasetError(f"{name}: got {getattr(self, name)}, expected {least} or more")


def has_steps(record: Record, context: ObjectiveContext, count: int) -> bool:
    """Whether a record has a trajectory of at least `count` steps, and the network reads images."""
    return record.trajectory is not None and len(record.trajectory.images) >= count and able(context, ["image"])


def has_states(trajectory: Trajectory) -> bool:
    """Whether states can be written: they have limits, or are positions x, y, z in metres."""
    if trajectory.states is None:
        return False
    return trajectory.state_limits is not None or trajectory.states.shape[1] == POSITION_TOKENS


def has_actions(trajectory: Trajectory) -> bool:
    """Whether actions can be written: they are words, or numbers with limits."""
    return isinstance(trajectory.actions, tuple) or (
        trajectory.actions is not None and trajectory.action_limits is not None
    )


def state_ids(record: Record, context: ObjectiveContext, step: int) -> list[int]:
    """The state of one step as value ids, () if states cannot be written.

    Raises:
        UnusableRecord: the state is not finite, or a position is more than 50 m from the origin.
    """
    trajectory = steps_of(record)
    if trajectory.states is None or not has_states(trajectory):
        return []
    values = np.asarray(trajectory.states[step], dtype=np.float64)
    if trajectory.state_limits is not None:
        return _between(record, values, trajectory.state_limits, context)
    codec = TaskCodec.of(context.config, context.vocabulary).locations
    if not ((values >= POSITION.low) & (values <= POSITION.high)).all():
        raise unusable(record, f"the position {values} of step {step} is not within 50 m of the origin")
    return [int(token) for token in write_position(codec, values)]


def action_ids(record: Record, context: ObjectiveContext, step: int, count: int = 1) -> list[int]:
    """The actions of `count` steps from `step` on as ids of values or words, () if actions cannot be written.

    Raises:
        UnusableRecord: an action is not finite.
    """
    trajectory = steps_of(record)
    actions = trajectory.actions
    if actions is None or not has_actions(trajectory) or step < 0:
        return []
    if isinstance(actions, tuple):
        return context.vocabulary.encode(" ".join(actions[step : step + count]))
    limits = np.asarray(trajectory.action_limits)
    rows = np.asarray(actions[step : step + count], dtype=np.float64)
    return [token for row in rows for token in _between(record, row, limits, context)]


def seen(record: Record, context: ObjectiveContext, step: int, config: StepsConfig) -> InputMedia:
    """The image of a step, and earlier ones as history, oldest first."""
    images = steps_of(record).images
    most = min(config.frames, frame_slots(context), step // config.stride)
    earlier = [images[step - number * config.stride].load() for number in range(most, 0, -1)]
    return InputMedia(image=images[step].load(), image_history=earlier)


def steps_of(record: Record) -> Trajectory:
    """The trajectory of a record; raises DatasetError if it has none."""
    if record.trajectory is None:
        raise DatasetError(f"{record.key!r} has no trajectory; ask `suits` before")
    return record.trajectory


def _between(
    record: Record, values: npt.NDArray[np.float64], limits: npt.NDArray[np.float64], context: ObjectiveContext
) -> list[int]:
    """Numbers as value ids between their limits; those outside are clipped."""
    if not np.isfinite(values).all():
        raise unusable(record, "a state or an action is not finite")
    span = limits[1] - limits[0]
    shares = np.where(span > 0, (values - limits[0]) / np.where(span > 0, span, 1.0), 0.5)
    return [int(token) for token in context.vocabulary.values_to_ids(np.clip(shares, 0.0, 1.0))]
