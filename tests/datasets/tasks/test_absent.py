"""Demonstrations that ask for what the scene lacks."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.agent import PolicyFormat
from embodio.datasets import DatasetError
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.tasks.next_action import NextAction, NextActionConfig
from embodio.datasets.tasks.parts.alternatives import require_alternatives, said
from embodio.datasets.tasks.parts.moment_task import SharedConfig
from tests.support.datasets.toy import toy_format, write_toy_dataset
from tests.support.train.media_corpus import wav


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> RLDSReader:
    return RLDSReader(write_toy_dataset(Path(tmp_path_factory.mktemp("absent")) / "toy", episodes=3, steps=6))


@pytest.mark.parametrize("share", [0.1, 0.25, 0.6])
def test_a_share_of_the_records_asks_for_what_the_scene_lacks(share: float, reader: RLDSReader) -> None:
    plain = toy_format(compute_statistics(reader))
    config = dataclasses.replace(plain.config, abstains=True)
    able = PolicyFormat(config, plain.embodiment, plain.statistics, plain.vocabulary)
    shared = SharedConfig(absent_instructions=("find the banana", "eat the banana"))
    task = NextAction(reader, able, range(3), NextActionConfig(absent=share), shared)
    no, asked = able.vocabulary.encode("no"), list[str]()
    for index in range(len(task)):
        example = task.example(index)
        words = " ".join(part for part in example.text if isinstance(part, str))
        assert (example.text_target == no) == ("banana" in words)
        asked += [words] if example.text_target == no else []
    assert len(asked) == int(len(task) * share)
    assert len(asked) < 2 or len(set(asked)) == 2
    drawn = [task.example(0, np.random.default_rng(seed)).text_target == no for seed in range(200)]
    assert abs(sum(drawn) / 200 - share) < 0.12


def test_alternatives_in_braces_are_all_said(tmp_path: Path) -> None:
    reader = RLDSReader(write_toy_dataset(tmp_path / "toy", episodes=3, steps=6, instruction="lift the red cube"))
    plain = toy_format(compute_statistics(reader))
    able = PolicyFormat(
        dataclasses.replace(plain.config, abstains=True), plain.embodiment, plain.statistics, plain.vocabulary
    )
    augment = AugmentConfig(wordings=1.0, instruction_dropout=0.5, templates=("{instruction} now",), paraphrase=0.5)
    shared = SharedConfig(absent_instructions=("{find|eat} the {banana|fig}", "sing"), augment=augment)
    task = NextAction(reader, able, range(3), NextActionConfig(absent=0.5), shared)
    every = {"find the banana", "find the fig", "eat the banana", "eat the fig", "sing"}

    changed = set[bool]()

    def asked(index: int, generator: np.random.Generator | None) -> str:
        example = task.example(index, generator)
        if example.text_target != able.vocabulary.encode("no"):
            return ""
        text = " ".join(part for part in example.text if isinstance(part, str))
        [words] = {one for one in every if one in text}
        changed.add(f"{words} now" in text)
        return words

    assert {asked(0, np.random.default_rng(seed)) for seed in range(200)} == every | {""}
    assert changed == {False, True}
    assert {asked(index, None) for index in range(len(task))} == every | {""}


@given(st.lists(st.lists(st.text("abc ", min_size=0), min_size=1, max_size=4), max_size=3), st.integers(0, 50))
def test_a_sentence_is_said_with_one_alternative_of_each_choice(choices: list[list[str]], number: int) -> None:
    sentence = "go " + " then ".join("{" + "|".join(choice) + "}" for choice in choices)
    expected = {"go " + " then ".join(words) for words in itertools.product(*choices)}
    ways = math.prod(len(choice) for choice in choices)
    assert {said(sentence, place, None) for place in range(number, number + ways)} == expected
    assert said(sentence, number, np.random.default_rng(number)) in expected


@pytest.mark.parametrize("sentence", ["", "{}", "{| }", "find {the|a", "{a|{b|c}}", "find }the"])
def test_sentences_that_cannot_be_said_are_refused(sentence: str) -> None:
    with pytest.raises(DatasetError, match="absent_instructions: "):
        require_alternatives(["find the banana", sentence], "absent_instructions")


def test_what_is_absent_can_be_told_aloud(reader: RLDSReader, tmp_path: Path) -> None:
    for key, words, level in (("a", "lift the cube", 0.1), ("b", "sing", 0.2), ("c", "dance", 0.3)):
        (tmp_path / f"{key}.wav").write_bytes(wav(np.full(2000, level, np.float32)))
        (tmp_path / f"{key}.transcript.txt").write_text(words)
    plain = toy_format(compute_statistics(reader))
    config = dataclasses.replace(plain.config, abstains=True, prompt_sounds=1)
    able = PolicyFormat(config, plain.embodiment, plain.statistics, plain.vocabulary)
    settings = NextActionConfig(absent=0.5, spoken=str(tmp_path))
    task = NextAction(reader, able, range(3), settings, SharedConfig(absent_instructions=("sing", "dance")))
    heard = set[tuple[int, bool]]()
    for seed in range(40):
        example = task.example(0, np.random.default_rng(seed))
        assert isinstance(example.audio, np.ndarray)
        level = round(10 * float(np.abs(example.audio).max()))
        heard.add((level, example.text_target == able.vocabulary.encode("no")))
    assert heard == {(1, False), (2, True), (3, True)}
    with pytest.raises(DatasetError, match=r"absent_instructions: .* says lift the cube, sing, dance, but not jump"):
        NextAction(reader, able, range(3), settings, SharedConfig(absent_instructions=("jump", "sing")))
