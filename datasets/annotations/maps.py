"""Maps of pictures: depth or surface normals as PNG or npy files next to, or in the same folders as, their pictures.

The annotations are a folder; each map in it belongs to the picture of the same name but for an ending of the stem:

    DIODE (diode-dataset.org)         00019_00183_outdoor_000_000.png    the picture
                                      ..._depth.npy, ..._depth_mask.npy  float32 [H, W, 1], metres; 1 where it is valid
                                      ..._normal.npy                     float32 [H, W, 3], x, y, z; 0 is unknown
                                      reading: {target: _depth, furthest: 50}
    ScanNet, as FrameNet has it       frame-000000.color.jpg, frame-000000.normal.png
                                      reading: {picture: .color, target: .normal}
    NYU, KITTI, ARKitScenes, ...      rgb/0001.jpg with depth/0001.png of 16 bits
                                      file: depth, media: rgb, reading: {unit: 1000, furthest: 10}

Depth is read in metres, is 0 where it is not known, and is given as a share of `furthest`. Normals in pictures are red,
green and blue for x, y and z from -1 to 1, and black where they are not known. The names of all files are held in
memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex, read_numbers
from embodio.datasets.errors import AnnotationError
from embodio.datasets.files.names import inside
from embodio.model.tasks.base.family import Family

Floats = npt.NDArray[np.float32]
_ENDINGS = (".png", ".npy", ".tif", ".tiff")


def read_maps(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    target: str = "",
    picture: str = "",
    unit: float = 1.0,
    furthest: float = 10.0,
) -> AnnotatedItems:
    """The pictures of a folder that have a map.

    Args:
        file: folder of the maps, at any depth.
        folder: of the pictures, at any depth.
        family: `depth` or `normals`.
        target: how the stems of maps end.
        picture: how the stems of pictures end.
        unit: numbers of a depth map to a metre, such as 1000 for millimetres.
        furthest: metres that are drawn white; what is further away is, too.

    Raises:
        AnnotationError: the annotations are not a folder, or a number is not positive.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder of maps")
    if not (unit > 0 and furthest > 0):
        raise AnnotationError(f"{file}: unit and furthest: got {unit} and {furthest}, expected positive numbers")
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    for path in sorted(path for path in file.rglob(f"*{target}.*") if path.suffix.lower() in _ENDINGS):
        stem, name = path.stem, path.relative_to(file).as_posix()
        if not stem.endswith(target) or stem.endswith("_mask"):
            continue
        try:
            image = index.find(stem.removesuffix(target) + picture)
        except ValueError as error:
            raise AnnotationError(f"{file}, map {name}: {error}") from error
        if image is None or (folder / image).resolve() == path.resolve():
            if target or image is None:
                found.leave_out("a map whose picture is not in the media folder", f"map {name}")
            continue
        made = partial(_depth, name, file, unit * furthest) if family.name == "depth" else partial(_normals, name, file)
        found.add(name, image, {"image": image, family.name: made}, f"map {name}")
    return found.done()


def _numbers(name: str, folder: Path) -> npt.NDArray[Any]:
    if not name.endswith(".npy"):
        return read_numbers(name, folder)
    return np.asarray(np.load(inside(folder, name, folder), allow_pickle=False))


def _depth(name: str, folder: Path, white: float) -> Floats:
    """float32 [H, W] in [0, 1], 0 where it is not known."""
    depth = np.squeeze(_numbers(name, folder)).astype(np.float32)
    if depth.ndim != 2:
        raise ValueError(f"{name} has the shape {depth.shape}, expected one number a pixel")
    valid = Path(name).with_name(f"{Path(name).stem}_mask.npy").as_posix()
    if (folder / valid).is_file():
        depth = np.where(np.squeeze(_numbers(valid, folder)) > 0, depth, 0)
    known = np.where(np.isfinite(depth), depth, 0)
    return np.clip(known / white, 0, 1).astype(np.float32)


def _normals(name: str, folder: Path) -> Floats:
    """float32 [H, W, 3], of length 1, or 0 where they are not known."""
    found = _numbers(name, folder)
    if found.ndim != 3 or found.shape[2] < 3:
        raise ValueError(f"{name} has the shape {found.shape}, expected three numbers a pixel")
    vectors = found[..., :3].astype(np.float32)
    if found.dtype == np.uint8:
        vectors = np.where(found[..., :3].any(axis=2, keepdims=True), vectors / 127.5 - 1, 0)
    vectors = np.where(np.isfinite(vectors), vectors, 0)
    lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
    return np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0).astype(np.float32)


READ = read_maps
FAMILIES = ("depth", "normals")
