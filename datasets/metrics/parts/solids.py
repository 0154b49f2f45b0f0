"""Boxes in space: corners of cuboids before a camera, and the volume that two of them share."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from embodio.datasets.metrics.parts.metric import Doubles
from embodio.model.tasks.locations.spatial import Cuboid

_NEAR = 1e-9  # of lengths, relative to the larger box


@dataclass(frozen=True)
class Solid:
    """A box in space.

    Attributes:
        centre: float64 [3], x to the right, y down, z forward, in metres.
        axes: float64 [3, 3], the directions of its sides as columns.
        half: float64 [3], half the length of each side.
    """

    centre: Doubles
    axes: Doubles
    half: Doubles

    @property
    def volume(self) -> float:
        """Cubic metres."""
        return float(np.prod(2 * self.half))

    @property
    def corners(self) -> Doubles:
        """float64 [8, 3]."""
        signs = np.array(list(itertools.product((-1, 1), repeat=3)), dtype=np.float64)
        return self.centre + (signs * self.half) @ self.axes.T

    def local(self, points: Doubles) -> Doubles:
        """Points [N, 3] by the sides of the box: inside are those with all |coordinates| at most `half`."""
        return (points - self.centre) @ self.axes


def solid_of(cuboid: Cuboid, image: tuple[int, int]) -> Solid:
    """A cuboid in front of the virtual camera of Omni3D, whose focal length is the height of the image.

    Depth is virtual, thus metric for this camera (arXiv 2207.10660, section 4.2); the allocentric rotation is turned by
    that from the optical axis to the ray of the centre. Length, height and width are along x, y and z of the object.

    Args:
        cuboid: with its centre in pixels of the image.
        image: (height, width) of the image in pixels.
    """
    height, width = image
    u, v = cuboid.centre
    ray = np.array([(u - width / 2) / height, (v - height / 2) / height, 1.0])
    wide, high, long = cuboid.size
    axes = _turn_to(ray / np.linalg.norm(ray)) @ np.asarray(cuboid.rotation, dtype=np.float64)
    return Solid(ray * cuboid.depth, axes, np.array([long, high, wide]) / 2)


def _turn_to(ray: Doubles) -> Doubles:
    """The rotation [3, 3] by the smallest angle that takes the optical axis to a unit ray in front of the camera."""
    x, y, z = ray
    cross = np.array([[0, 0, x], [0, 0, y], [-x, -y, 0]])  # of the axis (0, 0, 1) x ray = (-y, x, 0)
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 + z))


def shared_volume(one: Solid, other: Solid) -> float:
    """The volume of the intersection of two boxes, exact up to rounding: that of the hull of its corners."""
    from scipy.spatial import ConvexHull, QhullError

    scale = float(max(one.half.max(), other.half.max()))
    if not scale or min(one.half.min(), other.half.min()) <= 0:
        return 0.0
    points = np.concatenate([_corners_inside(one, other, scale), _corners_inside(other, one, scale)])
    if len(points) < 4:
        return 0.0
    try:
        return float(ConvexHull((points - points.mean(axis=0)) / scale).volume) * scale**3
    except QhullError:
        return 0.0  # they touch in a face, an edge or a corner


def _corners_inside(one: Solid, other: Solid, scale: float) -> Doubles:
    """The corners of one box inside another, and the points where its edges go through faces of that, [N, 3]."""
    corners = one.corners
    local = other.local(corners)
    limits = other.half + _NEAR * scale
    found = [corners[(np.abs(local) <= limits).all(axis=1)]]
    for start, end in itertools.combinations(range(8), 2):
        if (start ^ end) not in (1, 2, 4):  # corners whose numbers differ in one bit share an edge
            continue
        begin, step = local[start], local[end] - local[start]
        for axis, side in itertools.product(range(3), (-1.0, 1.0)):
            if abs(step[axis]) < _NEAR * scale:
                continue
            share = (side * other.half[axis] - begin[axis]) / step[axis]
            point = begin + share * step
            if 0 <= share <= 1 and (np.abs(point) <= limits).all():
                found.append((corners[start] + share * (corners[end] - corners[start]))[None])
    return np.concatenate(found)


def solid_overlap(one: Solid, other: Solid) -> float:
    """Intersection over union of two boxes; 0 where neither has a volume."""
    shared = shared_volume(one, other)
    union = one.volume + other.volume - shared
    return min(1.0, shared / union) if union > 0 else 0.0


def angle_between(one: Doubles, other: Doubles) -> float:
    """The angle in degrees by which one rotation [3, 3] differs from another."""
    cosine = (np.trace(one.T @ other) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
