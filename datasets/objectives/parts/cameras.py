"""The movement between two views of a scene, as polar angle, azimuth and distance (paper, appendix B.1)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from embodio.datasets.records.record import Record, View
from embodio.model.tasks.locations.spatial import RADIUS, CameraPose

_PARALLEL = 1e-3  # 1 - cosine squared of the angle between two optical axes
_SMALLEST = 1e-6  # metres from the centre of the scene

Vector = npt.NDArray[np.float64]


def movements(record: Record) -> Iterator[tuple[int, int, CameraPose]]:
    """First view, second view and the movement between them, of all ordered pairs of different views that have one."""
    for i, first in enumerate(record.views):
        for j, second in enumerate(record.views):
            pose = movement(first, second) if i != j else None
            if pose is not None:
                yield i, j, pose


def movement(first: View, second: View) -> CameraPose | None:
    """The change from the first to the second camera around the point that both look at; z is up.

    The point is the one nearest to both optical axes.

    Returns:
        None where a pose is unknown, the axes are parallel, a camera is at the point or looks away from it, or the
        change of distance is beyond what value tokens can say (0.7 m).
    """
    if first.pose is None or second.pose is None:
        return None
    places = [np.asarray(view.pose, dtype=np.float64) for view in (first, second)]
    centre = _looked_at([(pose[:3, 3], pose[:3, 2]) for pose in places])
    if centre is None:
        return None
    (polar, azimuth, distance), (polar_2, azimuth_2, distance_2) = (_spherical(pose[:3, 3] - centre) for pose in places)
    change = distance_2 - distance
    if min(distance, distance_2) < _SMALLEST or not RADIUS.low <= change <= RADIUS.high:
        return None
    turn = (azimuth_2 - azimuth + np.pi) % (2 * np.pi) - np.pi
    return CameraPose(polar_2 - polar, float(turn), change)


def _looked_at(axes: list[tuple[Vector, Vector]]) -> Vector | None:
    """The point nearest to two rays, each a place and a unit vector; None for parallel ones, or if it is behind one."""
    (_, one), (_, other) = axes
    if 1.0 - float(one @ other) ** 2 < _PARALLEL:
        return None
    across = [np.eye(3) - np.outer(axis, axis) for _, axis in axes]
    weighted = [matrix @ origin for matrix, (origin, _) in zip(across, axes, strict=True)]
    centre: Vector = np.linalg.solve(across[0] + across[1], weighted[0] + weighted[1])
    ahead = all(float((centre - origin) @ axis) > 0 for origin, axis in axes)
    return centre if ahead and np.isfinite(centre).all() else None


def _spherical(offset: Vector) -> tuple[float, float, float]:
    """Polar angle from the z axis, azimuth and length of a vector, in radians and metres."""
    length = float(np.linalg.norm(offset))
    polar = float(np.arccos(np.clip(offset[2] / max(length, _SMALLEST), -1, 1)))
    return polar, float(np.arctan2(offset[1], offset[0])), length
