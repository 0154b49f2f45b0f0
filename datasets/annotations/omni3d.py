"""Omni3D: boxes in three dimensions of six data sets, in the format of COCO with more fields.

Reads `SUNRGBD_val.json`, `KITTI_train.json`, `Objectron_test.json` and their like (github.com/facebookresearch/omni3d,
Brazil et al., arXiv 2207.10660):

    images       {"id", "width", "height", "file_path", "K": intrinsics [3, 3]}
    annotations  {"id", "image_id", "category_name", "valid3D", "center_cam": [x, y, z] metres, "dimensions": [w, h, l]
                 metres, "R_cam": rotation [3, 3], "behind_camera", "ignore" or "lidar_pts", "truncation", "visibility"}

An item is all objects of one name in an image: the projected centre, the depth in metres, width, height and length,
and the rotation as seen along the ray to the centre (allocentric). Objects that are not valid, are behind the camera or
have their centre outside of the image are left out and counted. All of the file is held in memory, as Python objects
about five times its size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.spatial import Cuboid

_SCHEMA = "an object of Omni3D with images and annotations"
_FIELDS = "image_id, category_name, center_cam, dimensions and R_cam"
_FURTHEST = 100.0  # metres that value tokens reach
Doubles = npt.NDArray[np.float64]


def read_omni3d(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The objects of a file, those of one name in an image together.

    Raises:
        AnnotationError: the file is not one of Omni3D.
    """
    content = parsed_file(file, dict, _SCHEMA)
    found = ItemList(file, folder, family)
    with expecting(file, _SCHEMA):
        images, rows = {row["id"]: row for row in content["images"]}, content["annotations"]
    several: dict[tuple[Any, str], list[Cuboid]] = defaultdict(list)
    for number, row in enumerate(rows):
        place = f"annotation {row.get('id', number)}" if isinstance(row, Mapping) else f"number {number}"
        with expecting(f"{file}, {place}", _FIELDS):
            image, name = images.get(row["image_id"]), str(row["category_name"]).strip()
            usable = bool(row.get("valid3D", True)) and not row.get("behind_camera") and not row.get("ignore")
            made = cuboid_of(row, image) if image is not None and usable else None
        if image is None:
            found.leave_out("an image_id that no image has", place)
        elif not name:
            found.leave_out("an object without a name", place)
        elif made is None:
            found.leave_out("a box that is not valid, not in the image or further away than 100 m", place)
        else:
            several[row["image_id"], name].append(made)
    for (key, name), cuboids in several.items():
        with expecting(f"{file}, image {key}", "file_path"):
            path = str(images[key]["file_path"])
        found.add(f"{key}/{name}", path, {"image": path, "name": name, "cuboids": tuple(cuboids)}, f"image {key}")
    return found.done()


def cuboid_of(row: Mapping[str, Any], image: Mapping[str, Any]) -> Cuboid | None:
    """The cuboid of an annotation; None where its centre is not in the image, or too far away."""
    centre = np.asarray(row["center_cam"], dtype=np.float64)
    intrinsics = np.asarray(image["K"], dtype=np.float64)
    size = tuple(float(side) for side in row["dimensions"])
    rotation = np.asarray(row["R_cam"], dtype=np.float64)
    if centre.shape != (3,) or intrinsics.shape != (3, 3) or len(size) != 3 or rotation.shape != (3, 3):
        raise ValueError("three numbers, or three rows of three, are not such")
    if not 0 < centre[2] <= _FURTHEST or min(size) <= 0:
        return None
    u, v, _ = intrinsics @ centre / centre[2]
    if not (0 <= u <= float(image["width"]) and 0 <= v <= float(image["height"])):
        return None
    return Cuboid((float(u), float(v)), float(centre[2]), (size[0], size[1], size[2]), allocentric(rotation, centre))


def allocentric(rotation: Doubles, centre: Doubles) -> Doubles:
    """A rotation as seen along the ray to a centre, float64 [3, 3].

    Equal objects at other places of an image look alike for equal allocentric rotations (Kundu et al., 3D-RCNN, CVPR
    2018, section 3.1): the rotation that turns the ray onto the optical axis is applied to the egocentric one.
    """
    ray = centre / np.linalg.norm(centre)
    axis = np.cross(ray, [0.0, 0.0, 1.0])
    sine, cosine = float(np.linalg.norm(axis)), float(ray[2])
    if sine < 1e-12:
        return rotation
    x, y, z = axis / sine
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + sine * cross + (1 - cosine) * cross @ cross
    return np.asarray(turn @ rotation)


READ = read_omni3d
FAMILIES = ("cuboids",)
