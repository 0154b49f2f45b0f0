"""Temporal ensembles: average the predictions of several plans for the same step."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from embodio.agent.errors import AgentError
from embodio.agent.format.codec import inside_limits
from embodio.envs.embodiment import ActionSpec, Dimension

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_ANGLE = re.compile(r"(?:(?P<scale>[0-9.]+(?:e[+-]?[0-9]+)?) ?)?(?P<unit>rad|radians?|deg|degrees?|°|turns?)")
_RADIANS = {"r": 1.0, "d": math.pi / 180, "°": math.pi / 180, "t": 2 * math.pi}
_NUMBERS = {"yaw": 1, "axis_angle": 3, "euler_xyz": 3, "euler_zyx": 3, "quaternion": 4}
_UNDECIDED = 1e-9
"""Predictions cancel out if their mean is shorter than this; then they have no mean rotation."""


class Ensemble:
    """Averages predictions: choices by vote, rotations of absolute poses as rotations, other numbers arithmetically.

    Rotations are averaged with the chordal mean, which does not depend on their parametrisation: for rotations about
    one axis the direction of the mean of unit vectors, in space the largest eigenvector of the mean of q q' (Markley et
    al., "Averaging Quaternions", 2007). Of the equivalent ways to write the result, the one nearest to the newest
    prediction is taken. If the predictions cancel out or the mean is outside the limits, the newest prediction stays.

    Args:
        action: the action dimensions; angles of an absolute pose have units such as "rad", "degrees" or "0.5 rad",
            components of a quaternion the unit "quaternion". The dimensions of one rotation are adjacent. Delta
            rotations are averaged as numbers.
        decay: the i-th oldest prediction has the weight exp(-decay * i).

    Raises:
        AgentError: the pose is absolute with a rotation, but the units do not show which dimensions are the rotation.
    """

    def __init__(self, action: ActionSpec, decay: float) -> None:
        self._decay = min(decay, 1e4)  # where exp(-decay) is 0
        self._voted = [index for index, d in enumerate(action.dimensions) if d.kind != "continuous"]
        self._rotations = list(_rotations(action))
        self._low, self._high = (np.array([getattr(d, end) for d in action.dimensions]) for end in ("low", "high"))

    def __call__(self, predictions: Floats) -> Floats:
        """The averaged action float32 [A], inside the limits, of predictions float32 [n, A], oldest first."""
        weights = np.exp(-self._decay * np.arange(len(predictions), dtype=np.float64))
        mean = (weights / weights.sum()) @ predictions.astype(np.float64)
        action = np.clip(mean, predictions.min(axis=0), predictions.max(axis=0))
        for index in self._voted:
            options, which = np.unique(predictions[:, index], return_inverse=True)
            action[index] = options[np.bincount(which, weights).argmax()]
        for place, written in self._rotations:
            part = predictions[:, place].astype(np.float64)
            action[place] = part[-1] if (part == part[-1]).all() else self._middle(part, weights, place, written)
        return inside_limits(action.astype(np.float32), self._low, self._high)

    def _middle(self, part: Doubles, weights: Doubles, place: slice, written: RotationWriting) -> Doubles:
        """The mean of rotations [n, m], written inside the limits and as near as possible to the last of them."""
        near, low, high = part[-1], self._low[place], self._high[place]
        edge = _UNDECIDED * (high - low)
        candidates = written.mean(part, weights, low, high)
        inside = (ways for ways in candidates if ((ways >= low - edge) & (ways <= high + edge)).all())
        nearest = min(inside, key=lambda ways: float(np.abs(ways - near).sum()), default=near)
        return np.clip(nearest, low, high)


class RotationWriting(Protocol):
    """A parametrisation of rotations."""

    def mean(self, part: Doubles, weights: Doubles, low: Doubles, high: Doubles) -> Iterator[Doubles]:
        """The equivalent ways [m] to write the mean of rotations [n, m]; none if they cancel out."""


class _Turn:
    """A rotation about one axis.

    Args:
        turn: a full turn in the unit of the dimension.
    """

    def __init__(self, turn: float) -> None:
        self._turn = turn

    def mean(self, part: Doubles, weights: Doubles, low: Doubles, high: Doubles) -> Iterator[Doubles]:
        angles = part[:, 0] * (2 * math.pi / self._turn)
        across, along = float(weights @ np.sin(angles)), float(weights @ np.cos(angles))
        if math.hypot(across, along) > _UNDECIDED * float(weights.sum()):
            angle = math.atan2(across, along) * (self._turn / (2 * math.pi))
            yield _nearest(np.array([angle]), part[-1], low, high, self._turn)


class _Quaternion:
    """A quaternion of any non-zero length; its components may be in any order."""

    def mean(self, part: Doubles, weights: Doubles, low: Doubles, high: Doubles) -> Iterator[Doubles]:
        lengths = np.linalg.norm(part, axis=1)
        some = lengths > _UNDECIDED
        middle = _middle_quaternion(part[some] / lengths[some, None], weights[some])
        if middle is not None:
            yield from (middle, -middle)


class _AxisAngle:
    """A rotation vector.

    Args:
        scale: radians per unit.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def mean(self, part: Doubles, weights: Doubles, low: Doubles, high: Doubles) -> Iterator[Doubles]:
        middle = _middle_quaternion(Rotation.from_rotvec(part * self._scale).as_quat(), weights)
        if middle is None:
            return
        vector = Rotation.from_quat(middle).as_rotvec()
        angle = float(np.linalg.norm(vector))
        near = float(np.linalg.norm(part[-1]))
        axis = vector / angle if angle > _UNDECIDED else part[-1] / (near or 1.0)
        for turns in range(-2, 3):
            yield axis * ((angle + 2 * math.pi * turns) / self._scale)


class _Euler:
    """Rotations about the fixed axes x, y, z in order: roll, pitch, yaw.

    Args:
        scale: radians per unit.
        reversed: the numbers are in the order yaw, pitch, roll.
    """

    def __init__(self, scale: float, reversed: bool) -> None:
        self._scale, self._order = scale, slice(None, None, -1 if reversed else 1)

    def mean(self, part: Doubles, weights: Doubles, low: Doubles, high: Doubles) -> Iterator[Doubles]:
        angles = part[:, self._order] * self._scale
        middle = _middle_quaternion(Rotation.from_euler("xyz", angles).as_quat(), weights)
        if middle is None:
            return
        roll, pitch, yaw = _roll_pitch_yaw(Rotation.from_quat(middle).as_matrix(), float(angles[-1, 0]))
        for ways in ((roll, pitch, yaw), (roll + math.pi, math.pi - pitch, yaw + math.pi)):
            numbers = np.array(ways)[self._order] / self._scale
            yield _nearest(numbers, part[-1], low, high, 2 * math.pi / self._scale)


def _rotations(action: ActionSpec) -> Iterator[tuple[slice, RotationWriting]]:
    """The positions of the rotations of an absolute pose, and their parametrisation."""
    if action.mode == "delta" or action.rotation == "none":
        return
    size = _NUMBERS[action.rotation]
    scales = {i: _radians(d, action.rotation) for i, d in enumerate(action.dimensions) if d.kind == "continuous"}
    places = [index for index, scale in scales.items() if scale is not None]
    groups = [places[begin : begin + size] for begin in range(0, len(places), size)]
    for group in groups or [[]]:
        units = {action.dimensions[index].unit for index in group}
        if len(group) != size or group[-1] - group[0] != size - 1 or len(units) != 1:
            named = [action.dimensions[index].name for index in places]
            kind = "'quaternion'" if action.rotation == "quaternion" else "an angle"
            raise AgentError(
                f"ensemble: rotations of this absolute pose are {action.rotation}, {size} numbers each, but the "
                f"dimensions with {kind} as their unit are {named}; correct units in the embodiment, or leave it out"
            )
        scale = scales[group[0]] or 1.0
        place = slice(group[0], group[-1] + 1)
        if action.rotation == "yaw":
            yield place, _Turn(2 * math.pi / scale)
        elif action.rotation == "quaternion":
            yield place, _Quaternion()
        elif action.rotation == "axis_angle":
            yield place, _AxisAngle(scale)
        else:
            yield place, _Euler(scale, action.rotation == "euler_zyx")


def _radians(dimension: Dimension, rotation: str) -> float | None:
    """Radians per unit of an angle, 1 for a component of a quaternion, None for other dimensions."""
    if rotation == "quaternion":
        return 1.0 if dimension.unit == "quaternion" else None
    found = _ANGLE.fullmatch(dimension.unit.strip())
    return float(found["scale"] or 1.0) * _RADIANS[found["unit"][0]] if found else None


def _middle_quaternion(quaternions: Doubles, weights: Doubles) -> Doubles | None:
    """The chordal mean [4] of unit quaternions [n, 4], whose signs do not matter; None if they cancel out."""
    sizes, axes = np.linalg.eigh((weights * quaternions.T) @ quaternions)
    return axes[:, -1] if sizes[-1] - sizes[-2] > _UNDECIDED * weights.sum() else None


def _roll_pitch_yaw(matrix: Doubles, roll: float) -> tuple[float, float, float]:
    """Angles of a rotation matrix [3, 3]; in gimbal lock `roll` is kept and yaw takes up the rest."""
    level = math.hypot(matrix[0, 0], matrix[1, 0])
    pitch = math.atan2(-matrix[2, 0], level)
    if level > 1e-6:
        roll, yaw = math.atan2(matrix[2, 1], matrix[2, 2]), math.atan2(matrix[1, 0], matrix[0, 0])
    else:
        matrix = matrix @ Rotation.from_euler("x", -roll).as_matrix()
        yaw = math.atan2(-matrix[0, 1], matrix[1, 1])
    return roll, pitch, yaw


def _nearest(angles: Doubles, near: Doubles, low: Doubles, high: Doubles, turn: float) -> Doubles:
    """Adds whole turns to angles to bring them nearest to `near`, within the limits if possible."""
    fewest, most = np.ceil((low - angles) / turn - _UNDECIDED), np.floor((high - angles) / turn + _UNDECIDED)
    return np.asarray(angles + turn * np.clip(np.rint((near - angles) / turn), fewest, np.maximum(fewest, most)))
