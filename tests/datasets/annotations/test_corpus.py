"""Annotations of the corpus of this machine: several items of a record, held-out voices, and what has nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.corpus import CorpusItems
from embodio.datasets.annotations.parts.item import AnnotationError
from embodio.model.tasks.families import family_named
from tests.support.datasets.annotated_files import write
from tests.support.datasets.tiny_corpus import BOXES, scene_masks, write_tiny_corpus
from tests.support.train.media_corpus import wav, write_shard


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_corpus(tmp_path_factory.mktemp("corpus"), ("validation",))


def items(file: Path, family: str, **reading: Any) -> CorpusItems:
    found = read_annotations("corpus", file, file, family_named(family), reading)
    assert isinstance(found, CorpusItems)
    return found


def of(corpus: Path, source: str, family: str, **reading: Any) -> list[Any]:
    found = items(corpus / source / "validation", family, **reading)
    assert len({item.key for item in found}) == len(found)
    made = [item.make() for item in found]
    for one in made:
        write(family, one)
    return made


def test_scenes_are_asked_about_in_every_way(corpus: Path) -> None:
    questions = of(corpus, "scenes", "answer_question")
    assert [one.text for one in questions] == ["two", "no"] * 2 and questions[0].media.image.shape == (32, 32, 3)
    assert [one.name for one in of(corpus, "scenes", "localise", most=3)][:3] == ["red box", "blue box", "box"]
    assert np.array_equal(of(corpus, "scenes", "localise")[2].boxes, np.array(BOXES, np.float32))
    assert [one.expression for one in of(corpus, "scenes", "refer", most=1)] == ["the red box"] * 2
    (y1, x1, y2, x2) = BOXES[0]
    pointed = of(corpus, "scenes", "point", most=1)[0]
    assert pointed.expression == "the red box" and pointed.point.tolist() == [(y1 + y2) / 2, (x1 + x2) / 2]
    assert of(corpus, "scenes", "detect")[0].labels == ("red box", "blue box")
    relation = of(corpus, "scenes", "relate")[1]
    assert (relation.text, relation.choices) == ("in front of", ("behind", "in front of"))
    assert [one.text for one in of(corpus, "scenes", "classify", most=2)][:2] == ["red box", "blue box"]


def test_maps_of_scenes_have_their_units(corpus: Path) -> None:
    assert np.array_equal(of(corpus, "scenes", "segment")[1].mask, scene_masks() == 2)
    assert [float(one.depth[0, 0]) for one in of(corpus, "scenes", "depth", furthest=1.5)] == pytest.approx([2 / 3, 1])
    assert of(corpus, "scenes", "normals")[0].normals[5, 5] == pytest.approx([0, 0, 1], abs=0.01)


def test_texts_are_captions_or_a_fact(corpus: Path) -> None:
    captions = of(corpus, "scenes", "caption")
    assert [one.text for one in captions[:2]] == ["two boxes", "a red box and a blue box"]
    assert captions[0].references == captions[1].references == ("two boxes", "a red box and a blue box")
    assert [one.text for one in of(corpus, "openclipart", "caption", text="title")] == ["a heart"] * 2
    kinds = of(corpus, "openclipart", "classify", text="category")
    assert [one.text for one in kinds] == ["shapes", "food"] and kinds[0].choices == ("food", "shapes")
    heard = of(corpus, "sounds", "caption", text="heard", given="sound", most=1)
    assert [one.text for one in heard] == ["a knock"] * 3 and len(heard[0].media.audio) == 8000
    assert of(corpus, "scenes", "draw", most=1)[0].text == "two boxes"


def test_robots_are_asked_about_their_gripper_and_colours(corpus: Path) -> None:
    asked = [(one.question, one.text) for one in of(corpus, "robots", "answer_question")[:2]]
    assert asked == [("is the gripper open or closed?", "open"), ("what colour is the cube?", "white")]


def test_voices_that_are_held_out_are_told_apart(corpus: Path) -> None:
    assert [one.text for one in of(corpus, "sounds", "transcribe", voices="held_out")] == ["say 2"]
    assert [one.text for one in of(corpus, "sounds", "transcribe", voices="known")] == ["say 0", "say 1"]
    speech = of(corpus, "sounds", "make_sound")[0]
    assert (speech.text, speech.kind, len(speech.sound)) == ("say 0", "speech", 8000)


def test_what_is_not_there_or_makes_no_sense_is_named(corpus: Path) -> None:
    found = items(corpus / "sounds" / "validation", "transcribe", voices="held_out")
    assert [(one.reason, one.count, one.first) for one in found.left_out] == [
        ("it has nothing for transcribe", 2, "t-0")
    ]
    for reading, words in (({"voices": "old"}, "voices: got 'old'"), ({"frames": 0}, "frames, most and furthest")):
        with pytest.raises(AnnotationError, match=words):
            items(corpus / "scenes" / "validation", "caption", **reading)
    with pytest.raises(AnnotationError, match="not one item"):
        items(corpus / "scenes" / "validation", "transcribe")
    with pytest.raises(AnnotationError, match="there is no such file"):
        items(corpus / "elsewhere", "caption")


def test_speech_that_is_longer_than_what_can_be_made_is_refused_not_cut(tmp_path: Path) -> None:
    said = {"a.wav": wav(np.sin(np.arange(5 * 16000) / 9) / 2), "a.json": json.dumps({"transcript": "a b"}).encode()}
    write_shard(tmp_path / "said" / "validation" / "00000.tar", said)
    with pytest.raises(AnnotationError, match=r"lasts 5\.0 s, longer than 4\.08 s"):
        of(tmp_path, "said", "make_sound")
    assert len(of(tmp_path, "said", "transcribe")[0].media.audio) == 5 * 16000
