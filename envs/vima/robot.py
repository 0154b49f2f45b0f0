"""The embodiment of VIMA's benchmark, and the conversion of actions to and from the benchmark's format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.envs.actions import checked_action
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.errors import InvalidAction
from embodio.envs.planar_poses import FULL_TURN, from_planar, to_planar

VIEWS = ("front", "top")
HEIGHT, WIDTH = 128, 256
ACTION_PARTS = {"pose0_position": 2, "pose0_rotation": 4, "pose1_position": 2, "pose1_rotation": 4}
"""The benchmark's action, a dict, and the sizes of its arrays."""
LOW, HIGH = (0.25, -0.5), (0.75, 0.5)
"""The workspace in metres, (x, y)."""
TOOLS = ("suction", "spatula")
"""End effectors; their indices are the numbers that the benchmark observes."""
VERBS = ("pick", "push")
"""The verb of each end effector; a pick ends with a place, a push with a push."""

ACTION_TEXT = (
    "{step}: {verb} from ( {pose0_x} {pose0_y} {pose0_turn} ) "
    "and {verb|place|push} to ( {pose1_x} {pose1_y} {pose1_turn} )"
)
"""An `action_text` in the paper's format (appendix D.10) for policies of this robot."""


def vima_pick_place() -> Embodiment:
    """The benchmark's robot: one action picks and places, or pushes, in the plane of the table.

    An action is (verb, x, y, turn, x, y, turn): what is done, then where it begins and where it ends, in metres and in
    degrees about the vertical. The verb is a word, its number the place in `VERBS`. The state is the end effector.
    Actions have no fixed duration, so the control frequency is nominal.
    """
    dimensions = [Dimension.of_words("verb", VERBS)]
    for pose in ("pose0", "pose1"):
        dimensions += [Dimension(f"{pose}_{axis}", "m", LOW[i], HIGH[i]) for i, axis in enumerate("xy")]
        dimensions.append(Dimension(f"{pose}_turn", "degrees", 0.0, FULL_TURN))
    action = ActionSpec(tuple(dimensions), "absolute", "workspace", "yaw", "none", "pick and place primitive")
    state = (Dimension("spatula", "", 0.0, 1.0, "binary"),)
    return Embodiment("vima/pick-place", action, state, tuple(Camera(v, HEIGHT, WIDTH) for v in VIEWS), None, 1.0)


def to_actions(parts: Mapping[str, npt.ArrayLike], tool: str) -> npt.NDArray[np.float32]:
    """Converts the benchmark's actions to those of the embodiment.

    Args:
        parts: `ACTION_PARTS`, each [..., size]. Positions may have a height as third number, which is left out.
        tool: "suction" or "spatula".

    Returns:
        float32 [..., 7].

    Raises:
        InvalidAction: a part is missing or has another size, a number is not finite, a rotation is not about the
            vertical, or there is no such tool.
    """
    if tool not in TOOLS:
        raise InvalidAction(f"end effector {tool!r} is unknown; there are {', '.join(TOOLS)}")
    missing = [name for name in ACTION_PARTS if name not in parts]
    if missing:
        raise InvalidAction(f"action: {', '.join(missing)} missing; there must be {', '.join(ACTION_PARTS)}")
    flat = [_without_height(name, np.asarray(parts[name], np.float64)) for name in ACTION_PARTS]
    planar = to_planar(np.concatenate(flat, axis=-1))
    verb = np.full((*planar.shape[:-1], 1), TOOLS.index(tool), dtype=np.float64)
    return np.concatenate([verb, planar], axis=-1).astype(np.float32)


def _without_height(name: str, part: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return part[..., :2] if name.endswith("position") and part.shape[-1:] == (3,) else part


def from_action(action: npt.ArrayLike) -> dict[str, npt.NDArray[np.float32]]:
    """Converts an action float [7] to the benchmark's format, without the verb, which the tool determines.

    Raises:
        InvalidAction: the shape is wrong, or a number is not finite or outside the limits; names the dimension.
    """
    # float32 cannot represent every limit
    values = checked_action(action, vima_pick_place().action.dimensions, slack=1e-6)
    flat, parts, start = from_planar(values[1:]), dict[str, Any](), 0
    low, high = np.array(LOW, np.float32), np.array(HIGH, np.float32)
    for name, size in ACTION_PARTS.items():
        part = flat[start : start + size]
        parts[name] = np.clip(part, low, high) if name.endswith("position") else part
        start += size
    return parts
