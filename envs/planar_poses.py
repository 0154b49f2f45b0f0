"""Planar poses: conversion between quaternions about the vertical and degrees.

VIMA's benchmark takes float [12] per action: (x, y) in metres and a quaternion xyzw of the pick pose (or the start of a
push), then the same of the place pose (or its end). All its rotations are about z, so a rotation is one angle and an
action six numbers: (x, y, angle) twice. Angles in this module are in degrees.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodio.envs.errors import InvalidAction

FULL_TURN = 360.0
_TILT = 1e-3  # of the length of a quaternion: more in x or y is not a turn about z

Doubles = npt.NDArray[np.float64]


def yaw_degrees(quaternions: npt.ArrayLike) -> Doubles:
    """Angles about z in degrees, float64 [...] in [0, 360), of quaternions xyzw [..., 4] of non-zero length.

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
    """Quaternions xyzw, float32 [..., 4] with w >= 0, of angles about z in degrees [...].

    Raises:
        InvalidAction: an angle is not finite.
    """
    angle = np.asarray(degrees, dtype=np.float64)
    if not np.isfinite(angle).all():
        raise InvalidAction("rotation: an angle is not finite")
    half = np.radians(np.mod(angle + 180.0, FULL_TURN) - 180.0) / 2.0
    zero = np.zeros_like(half)
    return np.stack([zero, zero, np.sin(half), np.cos(half)], axis=-1).astype(np.float32)


def to_planar(actions: npt.ArrayLike) -> Doubles:
    """Actions [..., 12] with quaternions -> float64 [..., 6]: x, y (m), angle (degrees in [0, 360)) of both poses.

    Raises:
        InvalidAction: the shape is wrong, a number is not finite, or a rotation is not about z.
    """
    values = _numbers("action", actions, 12)
    parts = [p for q in (values[..., :6], values[..., 6:]) for p in (q[..., :2], yaw_degrees(q[..., 2:])[..., None])]
    return np.concatenate(parts, axis=-1)


def from_planar(actions: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Inverse of `to_planar`: float [..., 6] -> float32 [..., 12].

    Raises:
        InvalidAction: the shape is wrong, or a number is not finite.
    """
    values = _numbers("action", actions, 6)
    parts: list[npt.NDArray[np.float32]] = []
    for pose in (values[..., :3], values[..., 3:]):
        parts += [pose[..., :2].astype(np.float32), quaternions_of(pose[..., 2])]
    return np.concatenate(parts, axis=-1)


def _numbers(name: str, values: npt.ArrayLike, size: int) -> Doubles:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != size:
        raise InvalidAction(f"{name}: expected {size} numbers in the last axis, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidAction(f"{name}: a number is not finite")
    return array
