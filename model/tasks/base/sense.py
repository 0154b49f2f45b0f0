"""Whether an annotation makes sense: no field without its value, no empty text, no place outside its image."""

from __future__ import annotations

import types
from collections.abc import Collection, Mapping, Sized
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from embodio.model.example import Image
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.locations.places import (
    Box,
    Boxes,
    PixelMask,
    PixelNumbers,
    Point,
    fault_of_box,
    fault_of_point,
)
from embodio.model.tasks.prompts.filling import Filling

_SHAPES: Mapping[Any, tuple[int, ...]] = {Box: (4,), Boxes: (-1, 4), Point: (2,)}
_OTHERWISE = "leave such items out"


class AnnotationField(NamedTuple):
    """A field of an annotation: its type without None, whether None is one of its values, and its default."""

    name: str
    kind: Any
    may_be_none: bool
    default: Any


def require_sense(
    annotation: Any, image: Image | None, skipped: Collection[str], may_be_empty: Collection[str]
) -> None:
    """Checks the fields of an annotation by their types.

    Texts are not empty unless that is their default; boxes and points (`Box`, `Boxes`, `Point`, `Keypoints`) lie inside
    the image, and boxes have an area; maps of pixels have its size; sequences hold something unless that is their
    default.

    Args:
        annotation: of any family.
        image: that its places lie in.
        skipped: fields that are not looked at.
        may_be_empty: fields that may hold nothing.

    Raises:
        TaskError: a field does not make sense; names it, its value and the remedy.
    """
    size = (int(image.shape[0]), int(image.shape[1])) if isinstance(image, np.ndarray) and image.ndim == 3 else None
    kind: Any = type(annotation)
    for field in fields_of(kind):
        if field.name in skipped:
            continue
        value = getattr(annotation, field.name)
        if value is None:
            if not field.may_be_none:
                raise TaskError(f"{field.name}: got None; give a value, or {_OTHERWISE}")
        elif field.kind is str:
            _require_text(field.name, value, field.name in may_be_empty or field.default == "")
        elif field.kind == tuple[str, ...]:
            _require_texts(field, value, field.name in may_be_empty)
        elif field.kind in _SHAPES:
            require_places(field.name, field.kind, value, size, empty=field.name in may_be_empty)
        elif field.kind in (PixelNumbers, PixelMask):
            _require_of_size(field.name, value, size)
        elif field.kind is Keypoints and size is not None:
            points = np.asarray(value.points)[np.asarray(value.visible, dtype=bool)]
            for point in points.tolist():
                _require(field.name, point, fault_of_point(point, size), size)
        elif isinstance(value, Sized) and not len(value) and field.default != () and field.name not in may_be_empty:
            raise TaskError(f"{field.name}: got {value!r}; give at least one, or {_OTHERWISE}")


def require_filled(slots: Mapping[str, Filling], may_be_empty: Collection[str]) -> None:
    """Raises TaskError for a slot that is filled with nothing."""
    for name, filling in slots.items():
        if name not in may_be_empty and not (filling.strip() if isinstance(filling, str) else len(filling)):
            raise TaskError(f"{name}: got {filling!r}, which fills a slot with nothing; give a value, or {_OTHERWISE}")


def require_places(
    name: str, kind: Any, value: npt.ArrayLike, size: tuple[int, ...] | None, *, empty: bool = False
) -> None:
    """Checks a place, or places.

    Args:
        name: of the field, for messages.
        kind: `Box`, `Boxes` or `Point`.
        value: in pixels of the image.
        size: height, width and perhaps more of the shape of the image; None looks at the area only.
        empty: whether there may be no box at all.

    Raises:
        TaskError: the shape is another, a box has no area, or a place is outside the image.
    """
    found, shape = np.asarray(value), _SHAPES[kind]
    if found.dtype.kind not in "iuf" or found.ndim != len(shape) or found.shape[-1] != shape[-1]:
        expected = " x ".join("N" if side < 0 else str(side) for side in shape)
        what = f"numbers of the shape {found.shape}" if found.dtype.kind in "iuf" else repr(value)
        raise TaskError(f"{name}: got {what}, expected {expected} numbers in pixels of the image")
    if not found.size and not empty:
        raise TaskError(f"{name}: got no box; give at least one, or {_OTHERWISE}")
    sides = None if size is None else (size[0], size[1])
    for place in found.reshape(-1, shape[-1]).tolist():
        if kind is not Point:
            _require(name, place, fault_of_box(place, sides), sides)
        elif sides is not None:
            _require(name, place, fault_of_point(place, sides), sides)


def _require(name: str, place: list[float], fault: str, size: tuple[int, int] | None) -> None:
    if fault:
        order = "y1, x1, y2, x2" if len(place) > 2 else "y, x"
        edge = "" if size is None else f" ({size[0]} x {size[1]} pixels)"
        raise TaskError(f"{name}: got {place} ({order}), {fault}; cut it at the image's edge{edge}, or {_OTHERWISE}")


def _require_of_size(name: str, value: npt.ArrayLike, size: tuple[int, int] | None) -> None:
    shape = np.shape(value)
    if size is not None and shape[:2] != size:
        raise TaskError(
            f"{name}: got the shape {shape} for an image of {size[0]} x {size[1]} pixels; give one of its size"
        )


def _require_text(name: str, value: Any, may_be_empty: bool) -> None:
    if not isinstance(value, str) or not (value.strip() or (may_be_empty and not value)):
        raise TaskError(f"{name}: got {value!r}, expected text that is not empty; give one, or {_OTHERWISE}")


def _require_texts(field: AnnotationField, value: Any, may_be_empty: bool) -> None:
    if isinstance(value, str) or not isinstance(value, tuple | list):
        raise TaskError(f"{field.name}: got {value!r}, expected a tuple of texts")
    if may_be_empty:
        return
    if not value and field.default != ():
        raise TaskError(f"{field.name}: got no text; give at least one, or {_OTHERWISE}")
    for text in value:
        _require_text(f"{field.name}: one of {value!r}", text, may_be_empty=False)


@cache
def fields_of(annotation: type[Any]) -> tuple[AnnotationField, ...]:
    """The fields of a class of annotations."""
    hints = get_type_hints(annotation, include_extras=True)
    return tuple(AnnotationField(one.name, *_without_none(hints[one.name]), one.default) for one in fields(annotation))


def _without_none(hint: Any) -> tuple[Any, bool]:
    """A type without None, and whether None was one of its values."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    others = tuple(one for one in get_args(hint) if one is not types.NoneType)
    return (others[0] if len(others) == 1 else hint), len(others) < len(get_args(hint))
