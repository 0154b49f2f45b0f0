"""The sound encoder learns what is said, in the tokens of its network, and resumes."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.pretrained import load
from embodio.train.bundles import NetworkBundle
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import TrainError
from embodio.train.experiments.sound_encoder import SoundEncoderRun, build
from embodio.train.main import train
from embodio.train.sound_encoder.network import read
from embodio.train.sound_encoder.sounds import drawn
from embodio.train.sound_encoder.transcripts import FIRST, NOTHING, OTHER, Pieces
from embodio.train.tokenizers.media import CorpusMedia
from tests.support.datasets.tiny_corpus import write_tiny_corpus
from tests.support.train.media_corpus import wav, write_shard
from tests.support.train.networks import write_generalist
from tests.support.train.runs import same_files

SEGMENT = 65_280
TONE = 0.5 * np.sin(np.arange(9_000) * 0.1)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def init(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generalist(tmp_path_factory.mktemp("network"))


def config(corpus: Path, init: Path, out: Path, **changes: Any) -> SoundEncoderRun:
    common: dict[str, Any] = {"batch_size": 2, "threads": 1, "workers": 0, "validate_every": 4, "checkpoint_every": 2}
    common |= {"steps": 4, "log_every": 1, "sources": ("sounds", "commands"), **changes}
    return SoundEncoderRun(data=str(corpus), init=str(init), out=str(out), **common)


def spoken(folder: Path, sounds: dict[str, tuple[str, np.ndarray]]) -> Path:
    members: dict[str, bytes] = {}
    for key, (said, sound) in sounds.items():
        members |= {f"{key}.wav": wav(sound), f"{key}.json": json.dumps({"transcript": said}).encode()}
    for split in ("train", "validation"):
        write_shard(folder / "commands" / split / "00000.tar", members)
    return folder


def test_pieces_are_those_of_the_transcripts(corpus: Path) -> None:
    vocabulary = Vocabulary.nano()
    pieces = Pieces.of(CorpusMedia(corpus, ("commands",), "train"), vocabulary)
    assert list(pieces.ids) == sorted(set(vocabulary.encode("please raise it")))
    numbers = pieces.numbers("please raise it")
    assert [pieces.ids[number - FIRST] for number in numbers] == vocabulary.encode("please raise it")
    assert OTHER in pieces.numbers("please fly")
    with pytest.raises(DatasetError, match="scenes train, record 1: it has no sound"):
        CorpusMedia(corpus, ("commands", "scenes"), "train").sound(4)
    with pytest.raises(DatasetError, match="sources: no record of scenes has a transcript"):
        Pieces.of(CorpusMedia(corpus, ("scenes",), "train"), vocabulary)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, SEGMENT), st.floats(0.01, 1.0))
def test_a_drawn_sound_has_all_its_samples(seed: int, samples: int, loudness: float) -> None:
    sound = (loudness * np.random.default_rng(seed).uniform(-1, 1, samples)).astype(np.float32)
    heard = drawn(sound, SEGMENT, np.random.default_rng(seed))
    assert heard.dtype == np.float32 and samples <= len(heard) <= SEGMENT and np.abs(heard).max() <= 1
    if samples > 100:
        assert np.corrcoef(heard[-samples:], sound)[0, 1] > 0.3


def test_the_network_hears_what_it_will_hear_later(corpus: Path, init: Path, tmp_path: Path) -> None:
    parts = build(config(corpus, init, tmp_path, sources=("commands",), batch_size=3))
    (batch,) = parts.validators["sounds"].batches()
    media = CorpusMedia(corpus, ("commands",), "validation")
    network = parts.network.network
    for row in range(len(media)):
        later = Processor(network.config, Vocabulary.nano())(Example(text="what is said?", audio=media.sound(row)))
        shown = later["inputs/audio/mask"] != 0
        assert np.array_equal(batch["inputs/audio/mask"][row].numpy(), shown)
        assert np.array_equal(batch["inputs/audio/input"][row].numpy(), later["inputs/audio/input"])


def test_it_learns_what_is_said_and_changes_nothing_else(init: Path, tmp_path: Path) -> None:
    time = np.arange(20_000)
    low, high = (0.5 * np.sin(time * one) for one in (0.1, 1.0))
    data = spoken(
        tmp_path / "corpus",
        {"a": ("raise it", np.r_[low, high]), "b": ("it raise", np.r_[high, low]), "c": ("raise", low)},
    )
    parts = build(config(data, init, tmp_path / "run", sources=("commands",), batch_size=3))
    (batch,) = parts.validators["sounds"].batches()
    optimiser = torch.optim.AdamW([one for one in parts.network.parameters() if one.requires_grad], lr=3e-3)
    for _ in range(120):
        outcome = parts.objective(parts.network, batch)
        optimiser.zero_grad()
        outcome.loss.backward()
        optimiser.step()
    assert (outcome.figures["accuracy"].total / outcome.figures["accuracy"].divisor).item() == 1
    with torch.no_grad():
        found = read(parts.network.said(batch))
    assert found == [[one for one in row if one != NOTHING] for row in batch["pieces"].tolist()]
    before, after = (dict(one.named_parameters()) for one in (load(init), parts.network.network))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith(("towers.audio.", "inputs.audio.")) for name in changed)


def test_silence_says_nothing(init: Path, tmp_path: Path) -> None:
    data = spoken(tmp_path / "corpus", {"a": ("raise it", 0.5 * np.sin(np.arange(9_000)))})
    parts = build(config(data, init, tmp_path / "run", sources=("commands",), batch_size=1))
    (batch,) = parts.validators["sounds"].batches()
    assert parts.network.said(batch)[batch["inputs/audio/mask"]][:, NOTHING].max() < 0
    batch["inputs/audio/mask"] = torch.zeros_like(batch["inputs/audio/mask"])
    assert read(parts.network.said(batch)) == [[]]


@pytest.mark.parametrize(
    ("said", "sound", "why"),
    [
        ("", TONE, "it has no transcript"),
        (" \n", TONE, "it has no transcript"),
        ("it", 0.5 * np.sin(np.arange(SEGMENT + 1) * 0.1), "longer than a segment of 65280 samples"),
        ("it", np.zeros(9_000), "its sound is silent"),
        ("raise \ud800it", TONE, "its transcript: the text holds a lone surrogate at character 6"),
        ("日本" * 40, TONE, r"its transcript needs \d{3} patches, and \d+ have sound"),
        (
            "it " * 20,
            TONE,
            r"its transcript needs 39 patches, and \d+ have sound",
        ),  # nothing is said between equal ones
    ],
    ids=["no transcript", "white space", "too long", "silent", "surrogate", "too much", "repeated"],
)
def test_what_cannot_be_learned_is_replaced(init: Path, tmp_path: Path, said: str, sound: np.ndarray, why: str) -> None:
    data = spoken(tmp_path / "corpus", {"a": ("raise it", TONE), "b": (said, sound)})
    parts = build(config(data, init, tmp_path / "run", sources=("commands",), batch_size=6))
    _, damage = parts.batches.make(0)
    assert damage and all(re.search(why, str(one)) for one in damage)
    left_out = list[ExampleError]()
    (batch,) = parts.validators["sounds"].batches(left_out.append)
    assert len(batch["pieces"]) == 1 and re.search(why, str(*left_out))
    assert bool(parts.objective(parts.network, batch).loss.isfinite())


def test_the_released_table_of_positions_gets_waves_where_a_segment_has_patches(
    corpus: Path, init: Path, tmp_path: Path
) -> None:
    vocabulary = Vocabulary.nano()
    size = ModelConfig.named("nano_generalist", vocab_size=vocabulary.padded_size)
    tower = dataclasses.replace(size.audio_tower, num_positions=514)
    NetworkBundle(vocabulary).write(tmp_path / "init", UnifiedIO2(size.replace(audio_tower=tower, freeze_vit=True)))
    parts = build(config(corpus, tmp_path / "init", tmp_path / "run"))
    positions = parts.network.network.towers["audio"].positions
    before = build(config(corpus, tmp_path / "init", tmp_path / "run", position_strength=0.0))
    moved = (positions != before.network.network.towers["audio"].positions).any(1).nonzero().flatten()
    assert moved.tolist() == list(range(2, 130))
    parts.objective(parts.network, parts.batches[0]).loss.backward()
    assert positions.grad is not None, "a tower that its size freezes learns"


def test_it_resumes_to_the_bit_and_a_network_begins_with_it(corpus: Path, init: Path, tmp_path: Path) -> None:
    assert train(config(corpus, init, tmp_path / "whole")) == 0
    assert train(config(corpus, init, tmp_path / "parts", steps=2)) == 0
    assert train(config(corpus, init, tmp_path / "parts")) == 0
    assert same_files(tmp_path / "whole" / "checkpoint", tmp_path / "parts" / "checkpoint")
    before, after = (dict(load(one).named_parameters()) for one in (init, tmp_path / "whole" / "checkpoint"))
    changed = {".".join(name.split(".")[:2]) for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"towers.audio", "inputs.audio"}


def test_mistakes_are_named(corpus: Path, init: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="data: give the folder of a corpus"):
        SoundEncoderRun(init=str(init), out=str(tmp_path))
    with pytest.raises(UsageError, match="init: give the folder of a network"):
        SoundEncoderRun(data=str(corpus), out=str(tmp_path))
    with pytest.raises(UsageError, match="sources: give at least one"):
        config(corpus, init, tmp_path, sources=())
    with pytest.raises(UsageError, match="accumulate: batches of transcribed sounds do not add up"):
        config(corpus, init, tmp_path, accumulate=2)
    unnamed = shutil.copytree(init, tmp_path / "unnamed", ignore=shutil.ignore_patterns("vocabulary.model"))
    with pytest.raises(TrainError, match=r"init: .* has no vocabulary; put its tokenizer.model into the folder"):
        build(config(corpus, unnamed, tmp_path))
    vocabulary = Vocabulary.nano()
    deaf = ModelConfig.named("nano", vocab_size=vocabulary.padded_size)
    NetworkBundle(vocabulary).write(tmp_path / "deaf", UnifiedIO2(deaf))
    with pytest.raises(TrainError, match=r"init: .* is a network without the input audio; give one that has it"):
        build(config(corpus, tmp_path / "deaf", tmp_path))
