"""ReleasedRobot: how the released networks read and drive one robot."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodio.agent.format.policy_config import PolicyConfig
from embodio.envs.embodiment import Dimension, Embodiment
from embodio.envs.errors import EmbodimentMismatch
from embodio.model.tokens.statistics import DatasetStatistics, FieldStatistics

Ranges = tuple[tuple[float, float], ...]
"""Low and high end of each number of a vector."""

RELEASED: Mapping[str, Any] = {
    "action_bins": 1000,
    "value_rounding": "trunc",
    "join_text": True,
}
"""How all released networks write numbers (paper, appendix B.1: 1000 tokens; bin = trunc(value * 999)) and texts."""


@dataclass(frozen=True, kw_only=True)
class ReleasedRobot:
    """A robot that the released networks were trained on.

    Attributes:
        about: the data sets, in one line.
        embodiment: the robot; its cameras are those of the data set.
        policy: format of inputs and outputs; `cameras` is the one camera of the embodiment here.
        cameras: what environments and data sets of this robot call that camera, likeliest name first.
        ranges: field ("action", "state") -> what 0 and 1 stand for; a field that is missing takes the limits.
        assumed: what is not published and therefore assumed, for a warning; "" for nothing.
    """

    about: str
    embodiment: Embodiment
    policy: PolicyConfig
    cameras: tuple[str, ...]
    ranges: Mapping[str, Ranges] = dataclasses.field(default_factory=dict)
    assumed: str = ""

    def fitted(self, embodiment: Embodiment) -> Embodiment:
        """The embodiment of an environment, if it is this robot: same numbers, units and frequency.

        Cameras, limits and names of frame and controller may differ, and a state that is not read.

        Raises:
            EmbodimentMismatch: it is another robot; names each field that differs.
        """
        own, action = self.embodiment, embodiment.action
        alike = dataclasses.replace(
            action,
            dimensions=_with_limits_of(own.action.dimensions, action.dimensions),
            frame=own.action.frame,
            controller=own.action.controller,
        )
        read = _with_limits_of(own.state, embodiment.state) if self.policy.reads_state else own.state
        compared = dataclasses.replace(own, action=alike, state=read, control_hz=embodiment.control_hz)
        own.require_same(
            compared,
            remedy="give the environment that robot, or train a policy for this one from the released weights with "
            "embodio-train init=",
        )
        return embodiment

    def camera_of(self, embodiment: Embodiment) -> str:
        """The camera to read: the first of `cameras` that is there, or the only one.

        Raises:
            EmbodimentMismatch: there is none, or the choice is not clear.
        """
        names = [camera.name for camera in embodiment.cameras]
        known = [name for name in self.cameras if name in names] or (names if len(names) == 1 else [])
        if not known:
            raise EmbodimentMismatch(
                f"cameras: expected one of {', '.join(self.cameras)}, but {embodiment.name} has "
                f"{', '.join(names) or 'none'}; call released_checkpoint(..., cameras=(name,)), or rename the camera"
            )
        return known[0]

    @property
    def statistics(self) -> DatasetStatistics:
        """The ranges as statistics, for a policy with "minmax" ranges."""
        numbers = {"action": self.embodiment.action.dimensions, "state": self.embodiment.state}
        fields = {name: _uniform(numbers[name], ranges) for name, ranges in self.ranges.items()}
        return DatasetStatistics(fields, source="ranges of the released networks")


def next_action_policy(**changes: Any) -> PolicyConfig:
    """The format of continuous control (paper, appendix D.10): the next action only, as value tokens.

    The current frame is the image, earlier ones are the image history; the text holds the action space, the instruction
    and the earlier actions. The wording is ours.
    """
    settings: dict[str, Any] = {
        "history_frames": 4,
        "chunk": 1,
        "previous_actions": 4,
        "prompt": "Action space: {action_space} Instruction: {instruction} History: {previous_actions} "
        "Predict the next action.",
        "action_range": "minmax",
        **RELEASED,
    }
    return PolicyConfig(**(settings | changes))


def _with_limits_of(own: tuple[Dimension, ...], other: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
    """The other dimensions, with our limits where name and words are the same."""
    ours = {dimension.name: dimension for dimension in own}
    return tuple(
        dataclasses.replace(d, low=ours[d.name].low, high=ours[d.name].high, kind=ours[d.name].kind)
        if d.name in ours and d.words == ours[d.name].words
        else d
        for d in other
    )


def _uniform(dimensions: tuple[Dimension, ...], ranges: Ranges) -> FieldStatistics:
    """Statistics of numbers that are spread evenly over their ranges."""
    low, high = (tuple(float(end) for end in ends) for ends in zip(*ranges, strict=True))
    middle = tuple((a + b) / 2 for a, b in ranges)
    deviation = tuple(float((b - a) / np.sqrt(12)) for a, b in ranges)
    return FieldStatistics(tuple(d.name for d in dimensions), low, high, middle, deviation, low, high, 1)
