"""Speech: which voices are heard where, and that texts and their origins stay on one side of the split."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.corpus import voices
from embodio.datasets.corpus.source import CorpusRequest, SourceAbsent
from embodio.datasets.corpus.sources.openclipart import OpenClipart
from embodio.datasets.corpus.sources.speech import Speech, _made
from embodio.datasets.corpus.sources.wordnet import WordNet
from embodio.model.processing.sound_files import read_sound
from tests.support.datasets.debian_files import write_clipart, write_wordnet

needs_espeak = pytest.mark.skipif(not voices.is_installed(), reason="the program espeak-ng is not installed")


@pytest.fixture
def speech(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speech:
    monkeypatch.setattr("embodio.datasets.corpus.voices.is_installed", lambda: True)
    return Speech(WordNet(write_wordnet(tmp_path / "words")), OpenClipart(write_clipart(tmp_path / "art")))


def test_held_out_voices_are_never_heard_in_training() -> None:
    assert not set(voices.SPEAKERS) & set(voices.HELD_OUT_SPEAKERS)
    assert not set(voices.ACCENTS) & set(voices.HELD_OUT_ACCENTS)
    generator = np.random.default_rng(0)
    known = [voices.draw_voice(generator, held_out=False) for _ in range(300)]
    held_out = [voices.draw_voice(generator, held_out=True) for _ in range(300)]
    assert not any(voice.is_held_out for voice in known) and all(voice.is_held_out for voice in held_out)
    assert len({voice.speaker for voice in known}) > 40


def test_sentences_of_all_kinds_each_once(speech: Speech) -> None:
    plan = speech.plan(CorpusRequest(0, limit=300))
    kinds = {item.key.partition("/")[0] for item in plan.items}
    assert kinds == {"gloss", "caption", "instruction", "description"} and len(plan.items) == 300
    made = [item.data["text"] for item in plan.items if item.key.startswith(("instruction", "description"))]
    assert len(made) == len(set(made)) > 200
    assert plan.items[:100] == speech.plan(CorpusRequest(0, limit=100)).items


def test_a_caption_is_on_the_side_of_its_picture(speech: Speech) -> None:
    pictures = {item.key: item.split for item in speech.clipart.plan(CorpusRequest(0)).items}
    captions = [item for item in speech.plan(CorpusRequest(0)).items if item.key.startswith("caption/")]
    assert len(captions) > 20
    assert all(item.split == pictures[item.origin] for item in captions)


def test_without_the_packages_it_says_so(speech: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = Speech(WordNet(tmp_path / "none"), OpenClipart(tmp_path / "none"))
    notes = bare.plan(CorpusRequest(0, limit=20)).notes
    assert any("wordnet-base" in note for note in notes) and any("openclipart" in note for note in notes)
    monkeypatch.setattr("embodio.datasets.corpus.voices.is_installed", lambda: False)
    with pytest.raises(SourceAbsent, match="espeak-ng"):
        speech.plan(CorpusRequest(0))


@needs_espeak
def test_a_sentence_is_read_aloud(speech: Speech, tmp_path: Path) -> None:
    items = [item for item in speech.plan(CorpusRequest(0, limit=60)).items if item.split == "train"][:4]
    for item in items:
        made = speech.make(item, 0)
        assert made == speech.make(item, 0)
        (tmp_path / "a.flac").write_bytes(bytes(made["flac"]))  # type: ignore[arg-type]
        sound, facts = read_sound(tmp_path / "a.flac"), json.loads(made["json"])
        assert 0.25 * 16000 < sound.size < 8 * 16000
        assert 0.25 < np.abs(sound).max() < 0.95
        assert facts["transcript"] == item.data["text"] and not facts["voice_held_out"]


@needs_espeak
def test_every_voice_is_one_of_the_program() -> None:
    import subprocess

    listed = subprocess.run([voices.PROGRAM, "--voices=variant"], capture_output=True, text=True, check=True).stdout
    files = {line.split("!v/")[1].split("  ")[0].strip() for line in listed.splitlines() if "!v/" in line}
    assert {*voices.SPEAKERS, *voices.HELD_OUT_SPEAKERS} <= files
    english = subprocess.run([voices.PROGRAM, "--voices=en"], capture_output=True, text=True, check=True).stdout
    assert {*voices.ACCENTS, *voices.HELD_OUT_ACCENTS} <= set(english.split())


def words(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ")


def test_no_sentence_of_training_is_written_or_heard_in_validation(speech: Speech) -> None:
    plan = speech.plan(CorpusRequest(0))
    heard = {
        side: {words(item.data["text"]) for item in plan.items if item.split == side}
        for side in ("train", "validation")
    }
    assert all(heard.values()) and not heard["train"] & heard["validation"]
    assert len(heard["train"]) + len(heard["validation"]) == len(plan.items), "each sentence is read aloud once"
    pictures = speech.clipart.plan(CorpusRequest(0)).items
    written = {words(text) for one in pictures if one.split == "validation" for text in speech.clipart.captions(one, 0)}
    assert written and not written & heard["train"]


def test_sentences_of_both_sides_are_left_out_and_counted(speech: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OpenClipart, "captions", lambda self, item, seed: ["one and the same", "One, and the same!"])
    plan = speech.plan(CorpusRequest(0))
    assert not any(words(item.data["text"]) == "one and the same" for item in plan.items)
    assert dict(plan.left_out) == {"caption records whose sentences are in training and in validation": 40}


def test_kinds_of_sentences_are_drawn_apart_although_their_names_are_equally_long() -> None:
    names = ("description", "illustrates")  # both by the grammar of descriptions
    made = [[item.data["text"] for item in islice(_made(kind, 0, {}), 5)] for kind in names]
    assert made[0] != made[1]
