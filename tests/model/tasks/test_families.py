"""Families: what is written and tokenised is read back within a bin, and training asks alike."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.model.example import Example
from embodio.model.tasks import AnswerError, Prompts
from embodio.model.tasks.base.family import Family, InputMedia
from embodio.model.tasks.families import families as all_families
from embodio.model.tasks.families import family_named
from embodio.model.tasks.families.answer_question import Question
from embodio.model.tasks.families.box_properties import Measured, property_of
from embodio.model.tasks.families.multiple_choice import ChoiceQuestion
from embodio.model.tasks.locations.labelled import Keypoints
from embodio.model.tasks.locations.spatial import CameraPose
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.model.annotations import CODEC, MAKE, NAMES, VOCABULARY


def as_written(family: Family[Any], example: Example) -> Any:
    """What a network that has learnt the example by heart writes."""
    if family.modality == "text":
        assert example.text_target is not None
        return [*VOCABULARY.encode(example.text_target), EOS_ID]
    if family.modality == "audio":
        return np.random.default_rng(0).normal(size=(32, 16)).astype(np.float32)
    drawn = np.asarray(example.image_target)
    return drawn.astype(np.float32) / (255 if drawn.dtype == np.uint8 else 1)


def tolerance(shown: InputMedia) -> float:
    """A bin of a location in pixels of the image, and the rounding of the geometry."""
    return 0.0 if shown.image is None else max(np.asarray(shown.image).shape) / 999 * 1.5 + 0.01


@pytest.mark.parametrize("name", sorted(MAKE))
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_is_written_is_read_back_within_a_bin(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    family, annotation = family_named(name), MAKE[name](rng)
    template = Prompts()[f"{name}.{family.group(annotation)}"].draw(rng, held_out=bool(rng.random() < 0.5))
    example = family.write(annotation, template, CODEC)
    asked = family.write(annotation, template, CODEC, answered=False)
    assert VOCABULARY.encode(asked.text) == VOCABULARY.encode(example.text)
    assert asked.text_target is None and asked.image_target is None and asked.audio_target is None
    if name == "make_sound":
        assert example.audio_target is annotation.sound  # type: ignore[attr-defined]
        return
    found = family.read(as_written(family, example), annotation, CODEC)
    assert not isinstance(found, AnswerError)
    if isinstance(annotation, Measured) and isinstance(found, Measured):
        size = np.asarray(annotation.media.image).shape[:2]
        shares = [property_of(one).shares(np.asarray(one.values), size) for one in (found, annotation)]
        np.testing.assert_allclose(*shares, atol=max(size) / min(size) / 999 * 1.5 + 1e-3)
        found = dataclasses.replace(found, values=annotation.values)
    for field in dataclasses.fields(annotation):
        close(getattr(found, field.name), getattr(annotation, field.name), field.name, annotation.media)


BINS = {"next_position": 0.11, "normal": 0.006, "spans": 0.065, "flow": 1e-3}
"""A bin of numbers with a fixed range: 100 m, 2, and at most 60 s; movements are not rounded."""


def close(found: Any, wanted: Any, field: str, shown: InputMedia) -> None:
    if field in ("media", "skipped", "interpolation", "references") or (field == "drawn" and wanted is None):
        return
    if wanted is None:
        assert found is None
    elif field in ("box", "boxes", "point", "subjects", "objects"):
        np.testing.assert_allclose(found, wanted, atol=tolerance(shown))
    elif field in BINS:
        np.testing.assert_allclose(found, wanted, atol=BINS[field])
    elif isinstance(wanted, Keypoints):
        np.testing.assert_array_equal(found.visible, wanted.visible)
        np.testing.assert_allclose(found.points, wanted.points, atol=tolerance(shown))
    elif isinstance(wanted, CameraPose):
        turn = (found.phi - wanted.phi + np.pi) % (2 * np.pi) - np.pi
        assert abs(found.theta - wanted.theta) < 0.01 and abs(turn) < 0.02 and abs(found.radius - wanted.radius) < 0.002
    elif field == "cuboids":
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one.centre, other.centre, atol=1.5 * tolerance(shown))
            assert abs(one.depth - other.depth) < 0.11
            np.testing.assert_allclose(np.log1p(one.size), np.log1p(other.size), atol=0.0065)
            np.testing.assert_allclose(one.rotation, other.rotation, atol=0.02)
    elif field == "depth":
        np.testing.assert_allclose(found, wanted, atol=1 / 255)
    elif field == "normals":
        np.testing.assert_allclose(found, wanted, atol=1e-3)
    elif field == "drawn":
        if np.asarray(shown.image).shape == np.asarray(wanted).shape or shown.image is None:
            np.testing.assert_array_equal(found, wanted)
    elif isinstance(wanted, np.ndarray):
        np.testing.assert_array_equal(found, wanted)
    elif isinstance(wanted, list | tuple):
        assert list(found) == list(wanted)
    else:
        assert found == wanted


@pytest.mark.parametrize("name", sorted(MAKE))
def test_a_request_asks_alike_and_has_no_answer(name: str) -> None:
    family, annotation = family_named(name), MAKE[name](np.random.default_rng(5))
    request, template = family.request(annotation), Prompts()[f"{name}.{family.group(annotation)}"].draw()
    assert family.target(annotation, CODEC) is not None and family.target(request, CODEC) is None
    asked = family.write(annotation, template, CODEC, answered=False)
    assert family.write(request, template, CODEC).text == asked.text
    assert all(getattr(request, field) in (None, ()) for field in family.answer)


@pytest.mark.parametrize(("text", "chosen"), [("B", 1), ("(b)", 1), ("c.", 2), ("left hand", 2), ("A cup", None)])
def test_a_choice_is_a_letter_or_an_option(text: str, chosen: int | None) -> None:
    asked = ChoiceQuestion(question="which one?", options=NAMES)
    found = family_named("multiple_choice").read([*VOCABULARY.encode(text), EOS_ID], asked, CODEC)
    assert getattr(found, "chosen", None) == chosen
    assert (chosen is None) == isinstance(found, AnswerError)


def test_questions_are_worded_for_what_they_are_about() -> None:
    sound = np.zeros(800, dtype=np.float32)
    group = family_named("answer_question").group
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    about = (InputMedia(), InputMedia(image=picture), InputMedia(audio=sound), InputMedia(image_history=[picture]))
    assert [group(Question(media=one, question="what?")) for one in about] == ["plain", "plain", "sound", "video"]
    both = InputMedia(image=picture, audio=sound)
    assert group(Question(media=both, question="what?")) == "heard_and_seen"
    assert group(Question(media=about[3], question="what?", pair=True)) == "pair"


def test_every_family_is_tried() -> None:
    assert set(MAKE) == set(all_families())


@pytest.mark.parametrize(
    ("name", "ids", "message"),
    [
        ("refer", [5], "four values"),
        ("judge_action", VOCABULARY.encode("maybe"), "'yes' or 'no'"),
        ("next_state", VOCABULARY.encode("hello"), "values and nothing else"),
        ("camera_pose", [7], "four values"),
    ],
)
def test_what_cannot_be_read_is_an_answer_error(name: str, ids: list[int], message: str) -> None:
    found = family_named(name).read(ids, MAKE[name](np.random.default_rng(0)), CODEC)
    assert isinstance(found, AnswerError) and message in found.reason
