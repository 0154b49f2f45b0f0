"""NYU Depth v2: pictures, depths and labels of 1449 rooms in one HDF5 file.

Reads `nyu_depth_v2_labeled.mat` (cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html), a MATLAB file of version 7.3:

    images  uint8 [N, 3, W, H]      depths  float32 [N, W, H], metres      labels  uint16 [N, W, H], 0 is unlabelled
    names   [1, C] references to texts in UTF-16; label k is the name k - 1

The usual split into 795 and 654 rooms is in `splits.mat` next to it, with `trainNdxs` and `testNdxs` from 1 on. One
room is read when it is needed. Needs h5py.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family

FURTHEST = 10.0
"""Metres that are drawn white; the sensor sees no further."""
_SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
_SCHEMA = "images, depths, labels and names of NYU Depth v2"


def read_nyu(file: Path, folder: Path, family: Family[Any], *, split: str = "") -> AnnotatedItems:
    """The rooms of a file.

    Args:
        file: the MATLAB file.
        folder: not used, as the file holds the pictures.
        family: `depth`, as a share of 10 m and 0 where it is not known; or `segment`, a mask of each name in a room.
        split: "train" or "test", by the file of splits; "" for all.

    Raises:
        AnnotationError: the file is not one of NYU Depth v2, or h5py is not installed.
    """
    found = ItemList(file, folder, family)
    with _opened(file) as content, expecting(file, _SCHEMA):
        count = len(content["images"])
        rooms = range(count) if not split else _split(file, split)
        if max(rooms, default=0) >= count:
            raise ValueError(f"the split names room {max(rooms)}, and there are {count}")
        names = ["".join(map(chr, content[one][()].ravel())) for one in content["names"][()].ravel()]
        for room in rooms:
            image = {"image": partial(_image, file, room)}
            if family.name == "depth":
                found.add(room, room, image | {"depth": partial(_depth, file, room)}, f"room {room}")
                continue
            for label in np.unique(content["labels"][room]).tolist():
                if 0 < label <= len(names) and names[label - 1].strip():
                    values = {"name": names[label - 1].strip(), "mask": partial(_mask, file, room, label)}
                    found.add(f"{room}/{label}", room, image | values, f"room {room}")
                elif label:
                    found.leave_out("a label without a name", f"label {label} of room {room}")
    return found.done()


def _opened(file: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise AnnotationError(f"{file}: HDF5 files need h5py: pip install 'embodio[hdf5]'") from error
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise AnnotationError(f"{file}: it cannot be read as HDF5: {error}") from error


def _split(file: Path, split: str) -> list[int]:
    """The rooms of a split, from 0 on."""
    import scipy.io

    path = file.with_name("splits.mat")
    if split not in _SPLITS:
        raise AnnotationError(f"{file}: split: got {split!r}, expected train or test")
    try:
        content = scipy.io.loadmat(path)
    except (OSError, EOFError, ValueError, TypeError, NotImplementedError, scipy.io.matlab.MatReadError) as error:
        raise AnnotationError(f"{path}: it cannot be read: {error}; fetch the splits of NYU Depth v2") from error
    return [int(number) - 1 for number in content[_SPLITS[split]].ravel()]


def _image(file: Path, room: int) -> npt.NDArray[np.uint8]:
    """uint8 [H, W, 3]."""
    with _opened(file) as content:
        return np.ascontiguousarray(content["images"][room].transpose(2, 1, 0))


def _depth(file: Path, room: int) -> npt.NDArray[np.float32]:
    """float32 [H, W] in [0, 1]."""
    with _opened(file) as content:
        metres = np.nan_to_num(content["depths"][room].T, nan=0, posinf=0, neginf=0)
    return np.clip(metres / FURTHEST, 0, 1).astype(np.float32)


def _mask(file: Path, room: int, label: int) -> npt.NDArray[np.bool_]:
    """Bool [H, W]."""
    with _opened(file) as content:
        return np.asarray(label == content["labels"][room].T)


READ = read_nyu
FAMILIES = ("depth", "segment")
