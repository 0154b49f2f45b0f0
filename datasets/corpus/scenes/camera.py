"""Viewpoint: an eye that looks at a point, its pose and its intrinsics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_FIELD = np.pi / 4  # vertical field of view, MuJoCo's default


@dataclass(frozen=True)
class Viewpoint:
    """A pinhole camera with square pixels.

    Attributes:
        azimuth: direction from the point that it looks at to the camera, about the vertical, rad.
        elevation: the same above the horizontal, rad.
        distance: to that point, m.
        target: the point, m.
    """

    azimuth: float
    elevation: float
    distance: float
    target: tuple[float, float, float] = (0.0, 0.0, 0.03)

    @property
    def pose(self) -> Floats:
        """Viewpoint to world, [4, 4], OpenCV axes: x right, y down, z forward."""
        flat = np.cos(self.elevation)
        back = np.array([np.cos(self.azimuth) * flat, np.sin(self.azimuth) * flat, np.sin(self.elevation)])
        right = np.array([-np.sin(self.azimuth), np.cos(self.azimuth), 0.0])
        pose = np.eye(4)
        pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, -np.cross(back, right), -back
        pose[:3, 3] = np.asarray(self.target) + self.distance * back
        return pose

    def intrinsics(self, size: int) -> Floats:
        """[3, 3] for square images of `size` pixels, whose upper left corner is the point (0, 0)."""
        focal = size / 2 / np.tan(_FIELD / 2)
        return np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])


def draw_camera(generator: np.random.Generator, nearest: float = 0.85, furthest: float = 1.25) -> Viewpoint:
    """A view of the table from somewhere above, at a distance between two, m."""
    return Viewpoint(
        azimuth=float(generator.uniform(0, 2 * np.pi)),
        elevation=float(np.radians(generator.uniform(30, 62))),
        distance=float(generator.uniform(nearest, furthest)),
        target=(float(generator.normal(0, 0.03)), float(generator.normal(0, 0.03)), 0.03),
    )


def depth_to_points(depth: Floats, intrinsics: Floats) -> Floats:
    """The point that each pixel shows, [H, W, 3] in m in the camera's axes, of depths [H, W] along its axis."""
    height, width = depth.shape
    x = (np.arange(width) + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (np.arange(height) + 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
    return np.stack([x[None] * depth, y[:, None] * depth, depth], axis=-1)


def surface_normals(depth: Floats, intrinsics: Floats) -> npt.NDArray[np.float32]:
    """Normals of visible surfaces from their depth.

    At each pixel the smaller of the steps to both neighbours is used, so edges of things stay sharp.

    Args:
        depth: along the camera's axis, [H, W], m.
        intrinsics: [3, 3].

    Returns:
        float32 [H, W, 3] of length 1: x to the right, y up, z towards the camera.
    """
    points = depth_to_points(depth, intrinsics)
    across, down = _smaller_step(points, 1), _smaller_step(points, 0)
    normals = np.cross(across, down)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    facing = np.where(length > 0, normals / np.maximum(length, 1e-12), [0.0, 0.0, 1.0])
    facing = np.where(facing[..., 2:] > 0, -facing, facing)  # towards the camera, in its axes
    turned: npt.NDArray[np.float32] = (facing * [1.0, -1.0, -1.0]).astype(np.float32)
    return turned


def _smaller_step(points: Floats, axis: int) -> Floats:
    """Along an axis, the difference to the neighbour that is nearer in depth."""
    steps = np.diff(points, axis=axis)
    edge = [(0, 0), (0, 0), (0, 0)]
    edge[axis] = (0, 1)
    after = np.pad(steps, edge, mode="edge")
    edge[axis] = (1, 0)
    before = np.pad(steps, edge, mode="edge")
    nearer = np.abs(after[..., 2:]) <= np.abs(before[..., 2:])
    return np.where(nearer, after, before)
