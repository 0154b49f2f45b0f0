"""Annotations that make no sense are refused by every family alike: the error names the field and its value."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.model.example import Example
from embodio.model.tasks import Prompts, TaskError
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.base.one_box_family import OneBoxItem
from embodio.model.tasks.families import families, family_named
from embodio.model.tasks.families.segment import Segmented
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
from tests.support.model.annotations import CODEC, MAKE

SEEDS = range(12)
PLACES = {Box: (4,), Boxes: (3, 4), Point: (2,)}


def write(name: str, annotation: Any) -> Example:
    family = family_named(name)
    return family.write(annotation, Prompts()[f"{name}.{family.group(annotation)}"].draw(), CODEC)


def made(name: str, field: str) -> Any:
    """An annotation of a family in which a field has a value."""
    found = [MAKE[name](np.random.default_rng(seed)) for seed in SEEDS]
    return next((one for one in found if np.size(getattr(one, field)) and getattr(one, field) is not None), found[0])


def changed(name: str, field: str, value: Any) -> Any:
    annotation: Any = made(name, field)
    return dataclasses.replace(annotation, **{field: value})


def fields_of(*kinds: Any) -> Iterator[tuple[str, str]]:
    """The names of families and of their fields of some types."""
    for name, family in families().items():
        for field, hint in get_type_hints(family.annotation, include_extras=True).items():
            united = isinstance(hint, types.UnionType) or "Union" in str(get_origin(hint))
            if {hint, *(get_args(hint) if united else ())} & set(kinds):
                yield name, field


def required() -> Iterator[tuple[str, str]]:
    for name, family in families().items():
        hints = get_type_hints(family.annotation)
        for field in dataclasses.fields(family.annotation):
            if (
                field.default is dataclasses.MISSING
                and field.name != "media"
                and types.NoneType not in get_args(hints[field.name])
            ):
                yield name, field.name


TEXTS = [(name, field) for name, field in fields_of(str) if field not in families()[name].may_be_empty]
SEVERAL = [(name, field) for name, field in fields_of(tuple[str, ...]) if field not in families()[name].may_be_empty]


@pytest.mark.parametrize(("name", "field"), TEXTS)
def test_a_text_says_something(name: str, field: str) -> None:
    for value in ("  ", 5):
        with pytest.raises(TaskError, match=rf"^{field}: got {value!r}, expected text that is not empty; give one, or"):
            write(name, changed(name, field, value))


@pytest.mark.parametrize(("name", "field"), SEVERAL)
def test_each_of_several_texts_says_something(name: str, field: str) -> None:
    with pytest.raises(TaskError, match=rf"^{field}: one of \('cup', ''\): got '', expected text that is not empty"):
        write(name, changed(name, field, ("cup", "")))
    with pytest.raises(TaskError, match=rf"^{field}: got 'cup', expected a tuple of texts"):
        write(name, changed(name, field, "cup"))


@pytest.mark.parametrize(("name", "field"), list(required()))
def test_none_is_refused_by_the_name_of_its_field(name: str, field: str) -> None:
    with pytest.raises(TaskError, match=rf"^{field}: got None; give a value"):
        write(name, changed(name, field, None))


@pytest.mark.parametrize(("name", "field"), list(fields_of(*PLACES)))
@pytest.mark.parametrize("fault", ["outside its image", "undefined", "without an area", "shape"])
def test_places_lie_in_their_image(name: str, field: str, fault: str) -> None:
    annotation: Any = made(name, field)
    hints = get_type_hints(type(annotation), include_extras=True)
    kind = next(one for one in PLACES if one in (hints[field], *get_args(hints[field])))
    value = np.zeros(PLACES[kind], np.float32) + np.array([2, 2, 9, 9][: PLACES[kind][-1]], np.float32)
    if fault == "shape":
        value, fault = value[..., :-1], "numbers of the shape"
    elif fault == "without an area" and kind is Point:
        return
    else:
        value[..., -1] = {"outside its image": 900, "undefined": np.nan, "without an area": 2}[fault]
    with pytest.raises(TaskError, match=rf"^{field}: got .*{fault}"):
        write(name, dataclasses.replace(annotation, **{field: value}))


@pytest.mark.parametrize(("name", "field"), list(fields_of(PixelNumbers, PixelMask)))
def test_maps_have_the_size_of_their_image(name: str, field: str) -> None:
    value = getattr(made(name, field), field)[1:]
    with pytest.raises(TaskError, match=rf"^{field}: got the shape .* for an image of .* give one of its size"):
        write(name, changed(name, field, value))


def test_a_mask_without_an_image_is_any_picture() -> None:
    mask = np.ones((4, 6), dtype=bool)
    assert np.shape(write("segment", Segmented(name="cup", mask=mask)).image_target) == (4, 6, 3)


@pytest.mark.parametrize("fault", ["outside its image", "undefined"])
def test_visible_keypoints_lie_in_their_image(fault: str) -> None:
    person: Any = MAKE["keypoints"](np.random.default_rng(0))
    points, visible = person.keypoints.points.copy(), person.keypoints.visible.copy()
    points[0], visible[:2] = (900 if fault == "outside its image" else np.nan), [False, True]
    hidden = dataclasses.replace(person, keypoints=Keypoints(points, visible))
    write("keypoints", hidden)
    visible[0] = True
    with pytest.raises(TaskError, match=f"^keypoints: got .*{fault}"):
        write("keypoints", dataclasses.replace(person, keypoints=Keypoints(points, visible)))


def test_a_track_lies_in_its_own_frames() -> None:
    small, large = np.zeros((20, 20, 3), np.uint8), np.zeros((90, 90, 3), np.uint8)
    track: Any = MAKE["track"](np.random.default_rng(0))
    shown = InputMedia(image=large, image_history=[small])
    inside, beyond = np.array([2, 2, 9, 9], np.float32), np.array([30, 30, 60, 60], np.float32)
    write("track", dataclasses.replace(track, media=shown, start=inside, boxes=beyond[None]))
    with pytest.raises(TaskError, match=r"^start: got .*outside its image; .*20 x 20"):
        write("track", dataclasses.replace(track, media=shown, start=beyond, boxes=beyond[None]))
    with pytest.raises(TaskError, match=r"^boxes\[0\]: got .*without an area"):
        write("track", dataclasses.replace(track, media=shown, start=inside, boxes=inside[None, [2, 1, 2, 3]]))


EMPTY = {
    "boxes": np.zeros((0, 4), np.float32),
    "spans": np.zeros((0, 2), np.float32),
    "values": np.zeros((0, 1), np.float32),
}


@pytest.mark.parametrize("name", ["detect", "localise", "read_text", "cuboids", "find_events"])
def test_nothing_is_a_right_answer_where_a_family_says_so(name: str) -> None:
    family, field = family_named(name), family_named(name).answer[0]
    assert field in family.may_be_empty
    changes = {field: EMPTY.get(field, ())} | ({"labels": ()} if "labels" in family.answer else {})
    annotation: Any = dataclasses.replace(made(name, field), **changes)
    assert not write(name, annotation).text_target
    found = family.read([1], family.request(annotation), CODEC)
    assert len(getattr(found, field)) == 0


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("refer_several", "boxes", EMPTY["boxes"]),
        ("next_action", "action", []),
        ("next_state", "later", []),
        ("plan", "actions", []),
        ("judge_action", "actions", []),
        ("caption_several", "captions", ()),
        ("refer_several", "expressions", ()),
    ],
)
def test_nothing_is_refused_elsewhere(name: str, field: str, value: Any) -> None:
    with pytest.raises(TaskError, match=f"^{field}: got"):
        write(name, changed(name, field, value))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("box_properties", {"values": np.full((1, 1), 900, np.float32), "property": "width"}, "values: .* outside"),
        (
            "find_events",
            {"spans": np.array([[2.0, 1.0]]), "labels": ("run",), "seconds": 9.0, "name": ""},
            "spans: got",
        ),
        ("find_events", {"seconds": 0.0}, "seconds: got 0.0, expected the length"),
    ],
)
def test_numbers_fit_what_they_are_about(name: str, changes: dict[str, Any], message: str) -> None:
    annotation: Any = dataclasses.replace(MAKE[name](np.random.default_rng(0)), **changes)  # type: ignore[type-var]
    if name == "box_properties":
        annotation = dataclasses.replace(annotation, name="cup", expressions=())
    with pytest.raises(TaskError, match=message):
        write(name, annotation)


@settings(max_examples=200, deadline=None)
@given(box=st.tuples(*[st.floats(-4, 40, width=32)] * 4), size=st.tuples(st.integers(8, 30), st.integers(8, 30)))
def test_a_box_is_written_if_and_only_if_it_lies_inside(box: tuple[float, ...], size: tuple[int, int]) -> None:
    media = InputMedia(image=np.zeros((*size, 3), np.uint8))
    item = OneBoxItem(media=media, box=np.array(box, np.float32))
    if fault_of_box(box, size):
        with pytest.raises(TaskError, match=f"^box: got .*{fault_of_box(box, size)}"):
            write("sound_source", item)
    else:
        assert len(write("sound_source", item).text_target or ()) == 4


@pytest.mark.parametrize(
    ("box", "fault"),
    [
        ([0, 0, 0, 5], "a box without an area"),
        ([0, 5, 5, 1], "a box without an area"),
        ([0, 0, float("nan"), 5], "a box with a number that is undefined"),
        ([0, 0, 12, 5], "a box outside its image"),
        ([-2, 0, 5, 5], "a box outside its image"),
        ([0, 0, 10.5, 20.9], ""),
    ],
)
def test_faults_of_boxes(box: list[float], fault: str) -> None:
    assert fault_of_box(box, (10, 20)) == fault


def test_faults_of_points() -> None:
    assert [fault_of_point(one, (10, 20)) for one in ((0, 0), (10.5, 20.5), (10, 22), (-2, 0))] == [
        "",
        "",
        *["a point outside its image"] * 2,
    ]
    assert fault_of_point((float("nan"), 0), (10, 20)) == "a point with a number that is undefined"
