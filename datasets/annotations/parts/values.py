"""Annotations from plain values: numbers, texts and names of media files become the fields of an annotation."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.annotations.parts.item import AnnotatedItem, Kind
from embodio.datasets.annotations.parts.media import read_clip, read_image, read_part
from embodio.datasets.annotations.parts.places import mask_of
from embodio.datasets.errors import AnnotationError, DatasetError
from embodio.datasets.files.names import inside
from embodio.model.example import Image
from embodio.model.processing.media_files import MediaError
from embodio.model.tasks.base.family import Annotation, InputMedia
from embodio.model.tasks.locations.labelled import BODY_PARTS, Keypoints
from embodio.model.tasks.locations.places import fault_of_box
from embodio.model.tasks.locations.spatial import CameraPose, Cuboid

MEDIA = ("image", "image_history", "audio", "audio_history", "video")
_BOXES = ("box", "boxes", "subject", "object", "subjects", "objects")
_MAPS = ("mask", "depth", "normals")
_TEXTS = ("text", "references", "question", "instruction", "expression")
_FAULTS = (DatasetError, MediaError, OSError, TypeError, ValueError, KeyError)

Floats = npt.NDArray[np.float32]


def annotation_of(kind: Kind, values: Mapping[str, Any], folder: Path, where: str, *, clip: bool = False) -> Annotation:
    """An annotation of a kind of task.

    Args:
        kind: the family, or another kind of task.
        values: field -> value. Media, masks and pictures are names of files; boxes are lists (y1, x1, y2, x2) in pixels
            of the image, points (y, x), keypoints 17 lists (y, x, visible), a pose (theta, phi, radius); masks may also
            be run lengths as of COCO, cuboids are mappings with the fields of `Cuboid`. A `video` gives the images;
            flow is a .npy file. The box of a frame in which a tracked object is not seen is null. A
            value that can be called is called, and returns the field as the annotation has it.
        folder: of the files; no name leads out of it.
        where: the place, for messages.
        clip: whether boxes that stick out of the image are cut at its edge.

    Raises:
        AnnotationError: an unknown or missing field, an empty text, a box outside the image, a mask or a map of another
            size than the image, a file that is missing.
    """
    known = _fields_of(kind.annotation)  # type: ignore[arg-type]  # classes of dataclasses can be hashed
    for name in values:
        if name not in known and name not in MEDIA:
            near = difflib.get_close_matches(name, [*known, *MEDIA], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted({*known, *MEDIA}))}"
            raise AnnotationError(f"{where}: {kind.name} has no field {name!r}; {hint}")
    given = {name: _read(name, values[name], folder, where) for name in MEDIA if name in values}
    media = InputMedia(**given.pop("video", {}) | given)
    fields = {name: _read(name, value, folder, where) for name, value in values.items() if name in known}
    for name in [one for one in _BOXES if fields.get(one) is not None]:
        if "start" not in fields and np.isnan(fields[name]).any():
            raise AnnotationError(f"{where}: {name}: null is not a box; only frames of a track may be without one")
        if clip and media.image is not None:
            fields[name] = np.clip(fields[name], 0, [*media.image.shape[:2]] * 2).astype(np.float32)
        _require_inside(fields[name], media.image, f"{where}: {name}")
    for name in [one for one in _MAPS if one in fields]:
        _require_same_size(fields[name], media.image, f"{where}: {name}")
    try:
        return kind.annotation(media=media, **fields)
    except TypeError as error:
        raise AnnotationError(f"{where}: {kind.name}: {error}") from error


def annotated_item(
    kind: Kind,
    values: Mapping[str, Any],
    folder: Path,
    where: str,
    key: str,
    group: str,
    parts: tuple[str, ...] = (),
    *,
    clip: bool = False,
) -> AnnotatedItem:
    """An item of these values, see `annotation_of` and `AnnotatedItem`; nothing is read yet."""
    make = partial(annotation_of, kind, values, folder, where, clip=clip)
    return AnnotatedItem(key, group, make, parts)


def digest_of(annotation: Annotation) -> str:
    """Hash of all that an annotation holds, the pixels and samples of its media included.

    By it two evaluations know that they asked the same.
    """
    total = hashlib.sha256()
    _add(annotation, total)
    return total.hexdigest()[:32]


def _add(value: Any, total: hashlib._Hash) -> None:
    """Adds a value to a hash, each part with its name and kind."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            total.update(field.name.encode())
            _add(getattr(value, field.name), total)
    elif isinstance(value, np.ndarray):
        total.update(f"{value.dtype} {value.shape}".encode())
        total.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        _add(sorted(value.items()), total)
    elif isinstance(value, list | tuple):
        total.update(f"{len(value)}".encode())
        for one in value:
            _add(one, total)
    else:
        total.update(f"{type(value).__name__} {value!r}".encode())


@cache
def _fields_of(annotation: type[Annotation]) -> frozenset[str]:
    """The names of the fields of a class of annotations, without its media."""
    return frozenset(one.name for one in dataclasses.fields(annotation)) - {"media"}


def _read(name: str, value: Any, folder: Path, where: str) -> Any:
    """A field in the type that annotations have."""
    if name in _TEXTS and not all(isinstance(one, str) and one.strip() for one in _as_list(value)):
        raise AnnotationError(f"{where}: {name}: expected text that is not empty, found {value!r}")
    reader = _READERS.get(name)
    try:
        if callable(value):
            return value()
        if reader is not None:
            return reader(value, folder)
        return tuple(value) if isinstance(value, list) else value
    except _FAULTS as error:
        raise AnnotationError(f"{where}: {name}: {error}") from error


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _numbers(shape: tuple[int, ...], value: Any, folder: Path) -> Floats:
    """An array of a shape, in which -1 is any size."""
    found = np.asarray(value, dtype=np.float32)
    if found.size == 0:
        found = found.reshape([max(side, 0) for side in shape])
    if found.ndim != len(shape) or any(side not in (-1, real) for side, real in zip(shape, found.shape, strict=True)):
        raise ValueError(f"expected numbers of the shape {shape}, found {found.shape}")
    if not np.isfinite(found).all():
        raise ValueError("a number is undefined")
    return found


def _boxes(value: Any, folder: Path) -> Floats:
    """Boxes float32 [N, 4]; those that are null are NaN."""
    found = _numbers((-1, 4), [[0.0] * 4 if row is None else row for row in value], folder)
    found[[row is None for row in value]] = np.nan
    return found


def _flow(name: str, folder: Path) -> Floats:
    found = _array_file(name, folder)
    if found is None or found.ndim != 3 or found.shape[2] != 2:
        raise ValueError(f"expected a .npy file of numbers [H, W, 2], found {name}")
    return found


def _array_file(name: str, folder: Path) -> Floats | None:
    """The content of a .npy file; None for another one."""
    if not name.endswith(".npy"):
        return None
    return np.load(inside(folder, name, folder), allow_pickle=False).astype(np.float32)


def _mask(value: Any, folder: Path) -> npt.NDArray[np.bool_]:
    if isinstance(value, Mapping):
        height, width = (int(side) for side in value["size"])
        return mask_of(value, (height, width))
    return np.asarray(read_image(value, folder).max(axis=2) > 127)


def _depth(name: str, folder: Path) -> Floats:
    found = _array_file(name, folder)
    return (read_image(name, folder).mean(axis=2) / 255).astype(np.float32) if found is None else found


def _normals(name: str, folder: Path) -> Floats:
    """Of a picture, red, green and blue are x, y and z from -1 to 1; black is unknown."""
    found = _array_file(name, folder)
    if found is not None:
        return found
    pixels = read_image(name, folder)
    vectors = pixels.astype(np.float32) / 127.5 - 1
    lengths = np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-6)
    return np.where(pixels.any(axis=2, keepdims=True), vectors / lengths, 0).astype(np.float32)


def _keypoints(value: Any, folder: Path) -> Keypoints:
    rows = _numbers((len(BODY_PARTS), 3), value, folder)
    return Keypoints(rows[:, :2], rows[:, 2] > 0)


def _cuboid(value: Any, folder: Path) -> Cuboid:
    if isinstance(value, Cuboid):
        return value
    names = {one.name for one in dataclasses.fields(Cuboid)}
    if not isinstance(value, Mapping) or set(value) != names:
        raise ValueError(f"expected a mapping with {', '.join(sorted(names))}, found {value!r}")
    u, v = (float(one) for one in value["centre"])
    width, height, length = (float(one) for one in value["size"])
    rotation = _numbers((3, 3), value["rotation"], folder).astype(np.float64)
    return Cuboid((u, v), float(value["depth"]), (width, height, length), rotation)


def _several(read: Callable[[Any, Path], Any], values: Any, folder: Path) -> tuple[Any, ...]:
    return tuple(read(value, folder) for value in values)


_READERS: Mapping[str, Callable[[Any, Path], Any]] = {
    "image": read_image,
    "image_history": partial(_several, read_image),
    "audio": read_part,
    "audio_history": partial(_several, read_part),
    "video": read_clip,
    "drawn": read_image,
    "sound": read_part,
    "mask": _mask,
    "masks": partial(_several, _mask),
    "people": partial(_several, _keypoints),
    "cuboids": partial(_several, _cuboid),
    "depth": _depth,
    "normals": _normals,
    "keypoints": _keypoints,
    "pose": lambda value, folder: CameraPose(*(float(one) for one in value)),
    "point": partial(_numbers, (2,)),
    "boxes": _boxes,
    "flow": _flow,
    "spans": partial(_numbers, (-1, 2)),
    "values": partial(_numbers, (-1, -1)),
    **{name: partial(_numbers, (-1, 4)) for name in ("subjects", "objects")},
    **{name: partial(_numbers, (4,)) for name in ("box", "subject", "object", "start")},
    **{name: partial(_numbers, (3,)) for name in ("normal", "goal", "position", "next_position")},
}


def _require_inside(boxes: Floats, image: Image | None, where: str) -> None:
    """Raises AnnotationError for boxes without an image, without an area, or outside their image."""
    if image is None:
        raise AnnotationError(f"{where}: there is not an image that it lies in")
    height, width = int(image.shape[0]), int(image.shape[1])
    for box in boxes[~np.isnan(boxes).any(axis=-1)].reshape(-1, 4).tolist():
        if fault_of_box(box, (height, width)):
            size = f"{height} x {width} pixels"
            raise AnnotationError(f"{where}: {box} (y1, x1, y2, x2) is not a box inside an image of {size}")


def _require_same_size(found: npt.NDArray[Any], image: Image | None, where: str) -> None:
    """Raises AnnotationError where an image has another size than what belongs to its pixels."""
    if image is not None and found.shape[:2] != image.shape[:2]:
        one, other = (" x ".join(map(str, array.shape[:2])) for array in (found, image))
        raise AnnotationError(f"{where}: it has {one} pixels, and the image {other}; they are not of one picture")
