"""Families refuse annotations that do not make sense, and return an error for answers that cannot be read."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from embodio.model.tasks import AnswerError, Prompts, TaskError
from embodio.model.tasks.base.family import InputMedia
from embodio.model.tasks.families import family_named
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.model.annotations import CODEC, MAKE, VOCABULARY


def made(family: str, seed: int = 0, /, **changes: Any) -> Any:
    return dataclasses.replace(MAKE[family](np.random.default_rng(seed)), **changes)  # type: ignore[type-var]


def write(name: str, annotation: Any) -> None:
    family = family_named(name)
    family.write(annotation, Prompts()[f"{name}.{family.group(annotation)}"].draw(), CODEC)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("box_properties", {"property": "colour"}, "property: got 'colour', expected one of"),
        ("box_properties", {"name": "", "expressions": ()}, "give a name, or one or two expressions"),
        ("box_properties", {"values": np.zeros((1, 9), np.float32)}, "values: the shape is"),
        ("caption_constrained", {"longer_than": None, "words": (), "prefix": ""}, "nothing is required"),
        ("chat", {"turns": ("hello", "hello")}, "an odd number of texts"),
        ("detect", {"listed": True, "names": ()}, "names: the prompt lists them"),
        ("find_events", {"labels": ()}, "give a name for each"),
        ("navigate", {"move": "jump"}, "move: got 'jump', expected one of forward"),
        ("navigate", {"with_state": True, "next_position": None}, "next_position: with_state asks for it"),
        ("normals", {"colours": "xxy"}, "colours: got 'xxy'"),
        ("normals", {"colours": "---"}, "each axis once"),
        ("refer_several", {"expressions": ("one",)}, "expected two or more; `refer` is for one"),
        ("refer_several", {"boxes": np.array([[0, 0, 5, 5]], np.float32)}, "boxes: 1 for"),
        ("relations", {"names": ()}, "one of each for every pair"),
        ("track", {"boxes": np.zeros((9, 4), np.float32)}, "frames after the first; give one for each"),
        ("track", {"media": InputMedia(image=np.zeros((9, 9, 3), np.uint8))}, "give the earlier ones"),
    ],
)
def test_annotations_that_do_not_make_sense_name_the_field(name: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        write(name, made(name, **changes))


@pytest.mark.parametrize("name", ["box_properties", "navigate", "normal_at", "point", "reason", "track", "find_events"])
@pytest.mark.parametrize("text", ["", "a cup", "none none none none none none"])
def test_other_words_are_not_an_answer(name: str, text: str) -> None:
    asked = family_named(name).request(made(name, 3))
    found = family_named(name).read([*VOCABULARY.encode(text), EOS_ID], asked, CODEC)
    nothing_found = text == "" and name == "find_events"  # a video in which nothing happens
    assert isinstance(found, AnswerError) != nothing_found


def test_too_few_or_too_many_values_are_not_an_answer() -> None:
    values = [int(VOCABULARY.value_id(place)) for place in range(5)]
    for name in ("point", "normal_at", "sound_source", "track", "navigate"):
        found = family_named(name).read([*values, EOS_ID], family_named(name).request(made(name)), CODEC)
        assert isinstance(found, AnswerError), name


def test_events_and_relations_that_can_be_read_are_kept() -> None:
    value = [int(VOCABULARY.value_id(place)) for place in (100, 300, 700, 900)]
    ids = [*value[:2], *VOCABULARY.encode("run"), value[0], *VOCABULARY.encode("jump"), EOS_ID]
    found: Any = family_named("find_events").read(ids, made("find_events", seconds=9.99, name=""), CODEC)
    assert found.labels == ("run",)
    np.testing.assert_allclose(found.spans, [[1, 3]], atol=0.02)
    pair = [*value, *VOCABULARY.encode("on: table"), *value, *VOCABULARY.encode("nothing"), EOS_ID]
    own: Any = family_named("relations").read(pair, made("relations", box=np.array([0, 0, 5, 5])), CODEC)
    assert own.relations == ("on",) and own.names == ("table",)
