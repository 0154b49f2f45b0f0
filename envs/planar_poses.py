"""Planar poses: a pick and place (or push) as places in the workspace and turns about the vertical, and as shares.

An action of VIMA's benchmark is float [12]: (x, y) in metres and a quaternion xyzw of where to pick (or to begin a
push), then the same of where to place (or to end it). All its rotations are about z, so that a turn is one angle. A
policy writes each of the six numbers (x, y, turn, twice) as a share of its range: positions of the workspace's limits,
turns of 360 degrees. Angles are degrees here and nowhere radians.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.envs.errors import InvalidAction

POSITION_LOW, POSITION_HIGH = (0.25, -0.5), (0.75, 0.5)
"""The workspace in metres, (x, y)."""
FULL_TURN = 360.0
ACTION_SIZE, SHARES = 12, 6
_NAMES = ("pose0 x", "pose0 y", "pose0 rotation", "pose1 x", "pose1 y", "pose1 rotation")
_TILT = 1e-3  # of the length of a quaternion: more in x or y is no turn about z

Doubles = npt.NDArray[np.float64]


def yaw_degrees(quaternions: npt.ArrayLike) -> Doubles:
    """Turns about z, float64 [...] in [0, 360), of quaternions xyzw [..., 4] of any length but zero.

    Raises:
        InvalidAction: the last axis is not 4, a number is not finite, a quaternion is zero or not about z.
    """
    q = _numbers("rotation", quaternions, 4)
    length = np.linalg.norm(q, axis=-1)
    if (length < 1e-6).any():
        raise InvalidAction("rotation: a quaternion is zero; give (0, 0, 0, 1) for no turn")
    if (np.abs(q[..., :2]).max(axis=-1, initial=0.0) > _TILT * length).any():
        raise InvalidAction("rotation: a quaternion (xyzw) tilts the tool; only turns about z can be written")
    degrees = np.mod(np.degrees(2.0 * np.arctan2(q[..., 2], q[..., 3])), FULL_TURN)
    return np.where(degrees < FULL_TURN, degrees, 0.0)  # a tiny negative angle is rounded up to the full turn


def quaternions_of(degrees: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Quaternions xyzw, float32 [..., 4] with w >= 0, of turns about z in degrees [...].

    Raises:
        InvalidAction: an angle is not finite.
    """
    angle = np.asarray(degrees, dtype=np.float64)
    if not np.isfinite(angle).all():
        raise InvalidAction("rotation: an angle is not finite")
    half = np.radians(np.mod(angle + 180.0, FULL_TURN) - 180.0) / 2.0
    zero = np.zeros_like(half)
    return np.stack([zero, zero, np.sin(half), np.cos(half)], axis=-1).astype(np.float32)


def to_shares(actions: npt.ArrayLike, beyond: Literal["error", "clip"] = "error") -> Doubles:
    """Actions [..., 12] -> shares float64 [..., 6] in [0, 1]: x, y, turn of pose 0, then of pose 1.

    Args:
        actions: as the benchmark takes them.
        beyond: what becomes of positions outside the workspace.

    Raises:
        InvalidAction: wrong shape, not finite, outside the workspace, or a rotation that is no turn about z.
    """
    values = _numbers("action", actions, ACTION_SIZE)
    low, high = np.array(POSITION_LOW), np.array(POSITION_HIGH)
    parts = []
    for pose in (values[..., :6], values[..., 6:]):
        parts += [(pose[..., :2] - low) / (high - low), yaw_degrees(pose[..., 2:])[..., None] / FULL_TURN]
    shares = np.concatenate(parts, axis=-1)
    edge = 1e-6  # what float32 leaves of a position at the limit
    outside = ((shares < -edge) | (shares > 1 + edge)).reshape(-1, SHARES).any(axis=0)
    if outside.any() and beyond == "error":
        names = ", ".join(name for name, is_out in zip(_NAMES, outside, strict=True) if is_out)
        raise InvalidAction(f"action: {names} outside the workspace {POSITION_LOW} to {POSITION_HIGH} m; clip it first")
    return np.clip(shares, 0.0, 1.0)


def from_shares(shares: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Inverse of `to_shares`: [..., 6] in [0, 1] -> actions float32 [..., 12], inside the workspace.

    Raises:
        InvalidAction: wrong shape, not finite, or outside [0, 1].
    """
    values = _numbers("shares", shares, SHARES)
    if ((values < 0) | (values > 1)).any():
        raise InvalidAction("shares: a number is outside [0, 1]")
    low, high = np.array(POSITION_LOW), np.array(POSITION_HIGH)
    parts: list[npt.NDArray[np.float32]] = []
    for pose in (values[..., :3], values[..., 3:]):
        place = (low + pose[..., :2] * (high - low)).astype(np.float32)
        parts += [place, quaternions_of(pose[..., 2] * FULL_TURN)]
    return np.concatenate(parts, axis=-1)


def _numbers(name: str, values: npt.ArrayLike, size: int) -> Doubles:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != size:
        raise InvalidAction(f"{name}: expected {size} numbers in the last axis, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidAction(f"{name}: a number is not finite")
    return array
