"""Views of objects from known cameras: the renderings of Objaverse that came with Zero-1-to-3.

Reads the folder `views_release` (github.com/cvlab-columbia/zero123, README and ldm/data/simple.py), a folder for each
object with 000.png, 001.png, ... with an alpha channel, and 000.npy, 001.npy, ..., the matrix [3, 4] that takes points
of the world to the camera. The object is at the origin and z is up. A movement is the change of the camera's
polar angle (from z down), azimuth and distance. Each view is paired with the next one of its object, and the last with
the first. Where a picture is transparent it is white. Nothing but names is held in memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import read_numbers
from embodio.datasets.errors import AnnotationError
from embodio.datasets.files.names import inside
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.spatial import CameraPose

Doubles = npt.NDArray[np.float64]


def read_views(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The pairs of views of a folder.

    Args:
        file: the folder.
        folder: not used, as the views are in it.
        family: `view` or `camera_pose`.

    Raises:
        AnnotationError: the annotations are not a folder, or no object has two views.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder with one of views for each object")
    found = ItemList(file, file, family)
    for place in sorted({path.parent for path in file.rglob("*.npy")}):
        name = place.relative_to(file).as_posix()
        views = [f"{name}/{one.stem}" for one in sorted(place.glob("*.npy")) if one.with_suffix(".png").is_file()]
        if len(views) < 2:
            found.leave_out("an object with fewer than two views", f"object {name}")
            continue
        for number, (before, after) in enumerate(zip(views, [*views[1:], views[0]], strict=True)):
            pose, pictures = (
                partial(_movement, before, after, file),
                [partial(_view, one, file) for one in (before, after)],
            )
            if family.name == "view":
                values = {"image": pictures[0], "drawn": pictures[1], "pose": pose}
            else:
                values = {"image_history": partial(_earlier, before, file), "image": pictures[1], "pose": pose}
            found.add(f"{name}/{number}", name, values, f"views {before} and {after}")
    return found.done()


def movement_of(before: Doubles, after: Doubles) -> CameraPose:
    """The movement of a camera between two matrices [3, 4] from world to camera.

    Raises:
        ValueError: a matrix has another shape, or is undefined.
    """
    (theta, phi, distance), (new_theta, new_phi, new_distance) = _spherical(before), _spherical(after)
    turned = (new_phi - phi + np.pi) % (2 * np.pi) - np.pi
    return CameraPose(new_theta - theta, float(turned), new_distance - distance)


def _spherical(matrix: Doubles) -> tuple[float, float, float]:
    """Polar angle, azimuth and distance of a camera."""
    if matrix.shape != (3, 4) or not np.isfinite(matrix).all():
        raise ValueError(f"a matrix of the shape {matrix.shape}, expected finite numbers [3, 4]")
    x, y, z = (-matrix[:, :3].T @ matrix[:, 3]).tolist()
    return float(np.arctan2(np.hypot(x, y), z)), float(np.arctan2(y, x)), float(np.sqrt(x * x + y * y + z * z))


def _movement(before: str, after: str, folder: Path) -> CameraPose:
    return movement_of(*(_matrix(f"{one}.npy", folder) for one in (before, after)))


def _matrix(name: str, folder: Path) -> Doubles:
    return np.load(inside(folder, name, folder), allow_pickle=False).astype(np.float64)


def _earlier(name: str, folder: Path) -> tuple[npt.NDArray[np.uint8], ...]:
    return (_view(name, folder),)


def _view(name: str, folder: Path) -> npt.NDArray[np.uint8]:
    """The picture, uint8 [H, W, 3]."""
    pixels = read_numbers(f"{name}.png", folder)
    if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.dtype != np.uint8:
        raise ValueError(f"{name}.png: a picture of the shape {pixels.shape}, expected one with an alpha channel")
    return np.where(pixels[..., 3:] == 0, np.uint8(255), pixels[..., :3])


READ = read_views
FAMILIES = ("view", "camera_pose")
