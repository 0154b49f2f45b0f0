"""The image encoder learns from labelled pictures, in the tokens of its network, and resumes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError, FeatureError
from embodio.model.config.model import ModelConfig
from embodio.model.example import Example
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.pretrained import load
from embodio.train.bundles import NetworkBundle
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import TrainError
from embodio.train.experiments.image_encoder import ImageEncoderRun, build
from embodio.train.image_encoder.labels import NO_WORD, LabelledPicture, Words, on_canvas
from embodio.train.image_encoder.pictures import drawn
from embodio.train.image_encoder.settings import WordsConfig
from embodio.train.main import train
from embodio.train.tokenizers.media import CorpusMedia
from tests.support.datasets.tiny_corpus import BOXES, SCENE, SIDE, png, scene_masks, write_tiny_corpus
from tests.support.train.media_corpus import write_shard
from tests.support.train.networks import write_generalist
from tests.support.train.runs import same_files

PATCH = 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def init(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generalist(tmp_path_factory.mktemp("network"))


def config(corpus: Path, init: Path, out: Path, **changes: Any) -> ImageEncoderRun:
    common: dict[str, Any] = {"batch_size": 2, "threads": 1, "workers": 0, "validate_every": 4, "checkpoint_every": 2}
    common |= {"steps": 4, "log_every": 1, "words": WordsConfig(fewest=1), **changes}
    return ImageEncoderRun(data=str(corpus), init=str(init), out=str(out), **common)


def test_words_are_those_of_names_and_captions(corpus: Path) -> None:
    media = CorpusMedia(corpus, ("scenes", "openclipart"), "train")
    words = Words.of(media, WordsConfig(fewest=1))
    assert {"red", "blue", "box", "heart", "love", "two", "boxes", "shapes", "food"} <= set(words.words)
    assert set(Words.of(media, WordsConfig(most=3, fewest=2)).words) < set(words.words)
    first = words.labelled(media, 0)
    assert [words.words[number] for number in first.names[0]] == ["red", "box"]
    assert first.boxes is not None and first.boxes.tolist() == [[float(one) for one in box] for box in BOXES]
    assert first.masks is not None and set(np.unique(first.masks).tolist()) == {0, 1, 2}
    art = words.labelled(media, len(media) - 1)
    assert art.masks is None and art.whole


@settings(max_examples=40, deadline=None)
@example(1589579, (62, 39))  # its mask crosses the edge of a patch by a pixel, its box does not
@given(st.integers(0, 2**31), st.tuples(st.integers(20, 90), st.integers(20, 90)))
def test_a_view_keeps_each_thing_in_its_box(seed: int, size: tuple[int, int]) -> None:
    generator = np.random.default_rng(seed)
    height, width = size
    masks, boxes = np.zeros(size, np.int64), []
    for number in (1, 2):  # two things next to each other
        left = (number - 1) * width // 2
        y1, x1 = int(generator.integers(0, height // 2)), left + int(generator.integers(0, width // 4))
        y2, x2 = int(generator.integers(y1 + 4, height + 1)), int(generator.integers(x1 + 4, left + width // 2 + 1))
        masks[y1:y2, x1:x2] = number
        boxes.append([y1, x1, y2, x2])
    image = np.repeat((masks * 100)[..., None], 3, axis=2).astype(np.uint8)
    given_ = LabelledPicture(image, [], masks, [[0], [1]], np.array(boxes, np.float32))
    seen = drawn(given_, generator)
    assert seen.masks is not None and seen.boxes is not None and seen.masks.shape == seen.image.shape[:2]
    for number, box in enumerate(seen.boxes, start=1):
        rows, columns = np.nonzero(seen.masks == number)
        if rows.size:
            assert box.tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    labels = on_canvas(seen, (96, 192), PATCH)
    there = labels.words[:, 0] != NO_WORD
    assert not (there & ~labels.known).any()
    corners = labels.corners[there] * [6, 12, 6, 12]  # in patches
    places = np.stack(np.divmod(np.arange(72), 12), axis=1)[there]
    overlap = (corners[:, :2] < places + 1 + 1e-4) & (corners[:, 2:] > places - 1e-4)
    assert overlap.all(), "a patch belongs to a thing whose box reaches into it"


def test_the_network_sees_what_it_will_see_later(corpus: Path, init: Path, tmp_path: Path) -> None:
    parts = build(config(corpus, init, tmp_path, sources=("openclipart",)))
    (batch,) = parts.validators["pictures"].batches()
    media = CorpusMedia(corpus, ("openclipart",), "validation")
    network = parts.network.network
    for row in range(len(media)):
        later = Processor(network.config, Vocabulary.nano())(
            Example(text="what is it?", image=media.with_picture(row)[1])
        )
        shown = later["inputs/image/mask"] != 0
        mask = batch["inputs/image/mask"][row]
        assert np.array_equal(batch["inputs/image/input"][row][mask].numpy(), later["inputs/image/input"][shown])
        assert np.array_equal(batch["inputs/image/pos_ids"][row][mask].numpy(), np.nonzero(shown)[0])


def test_it_learns_what_is_where(corpus: Path, init: Path, tmp_path: Path) -> None:
    parts = build(config(corpus, init, tmp_path, sources=("scenes",)))
    batch, _ = parts.batches.make(0)
    optimiser = torch.optim.AdamW(parts.network.parameters(), lr=3e-3)
    off = []
    for _ in range(80):
        outcome = parts.objective(parts.network, batch)
        optimiser.zero_grad()
        outcome.loss.backward()
        optimiser.step()
        figures = {name: (one.total / one.divisor).item() for name, one in outcome.figures.items()}
        off.append(figures["off"])
    assert figures["found"] > 0.95 and figures["accuracy"] > 0.95
    assert off[0] > 100 and off[-1] < 20  # of 1000 tokens
    assert all(one.grad is None for name, one in parts.network.network.named_parameters() if name.startswith("decoder"))


def test_pictures_without_things_and_without_patches_do_no_harm(corpus: Path, init: Path, tmp_path: Path) -> None:
    parts = build(config(corpus, init, tmp_path, sources=("openclipart",)))
    batch, _ = parts.batches.make(0)
    for name in ("words", "whole"):
        batch[name][:] = NO_WORD
    outcome = parts.objective(parts.network, batch)
    outcome.loss.backward()
    assert outcome.loss.item() == 0
    assert all(one.grad is None or bool(one.grad.isfinite().all()) for one in parts.network.parameters())


def test_it_resumes_to_the_bit_and_a_network_begins_with_it(corpus: Path, init: Path, tmp_path: Path) -> None:
    assert train(config(corpus, init, tmp_path / "whole")) == 0
    assert train(config(corpus, init, tmp_path / "parts", steps=2)) == 0
    assert train(config(corpus, init, tmp_path / "parts")) == 0
    assert same_files(tmp_path / "whole" / "checkpoint", tmp_path / "parts" / "checkpoint")
    before, after = (dict(load(one).named_parameters()) for one in (init, tmp_path / "whole" / "checkpoint"))
    assert before.keys() == after.keys()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert {"encoder", "towers", "inputs", "text_embedding"} == changed


def test_a_run_may_keep_the_embeddings_that_it_begins_with(corpus: Path, init: Path, tmp_path: Path) -> None:
    kept = build(config(corpus, init, tmp_path, value_wavelength=0, position_strength=0)).network.network
    assert all(torch.equal(one, two) for one, two in zip(kept.parameters(), load(init).parameters(), strict=True))
    redrawn = build(config(corpus, init, tmp_path)).network.network
    changed = {
        name
        for (name, one), two in zip(redrawn.named_parameters(), kept.parameters(), strict=True)
        if not torch.equal(one, two)
    }
    assert changed == {"text_embedding.weight", "towers.image.positions"}


def described(folder: Path, masks: np.ndarray, facts: dict[str, Any]) -> CorpusMedia:
    """A corpus of one grey picture whose caption is "a desk"."""
    members = {"d.png": png(np.full((SIDE, SIDE), 99, np.uint8)), "d.txt": b"a desk", "d.masks.png": png(masks)}
    for split in ("train", "validation"):
        write_shard(folder / "scenes" / split / "00000.tar", members | {"d.json": json.dumps(facts).encode()})
    return CorpusMedia(folder, ("scenes",), "train")


def test_a_thing_without_known_words_is_a_thing(init: Path, tmp_path: Path) -> None:
    facts = SCENE | {"labels": ["κόκκινο κουτί", ""]}
    described(tmp_path / "corpus", scene_masks(), facts)
    (batch,) = (
        build(config(tmp_path / "corpus", init, tmp_path / "run", sources=("scenes",))).validators["pictures"].batches()
    )
    thing = batch["thing"][0]
    assert bool(thing.any()) and not bool(thing.all())
    assert bool((batch["words"] == NO_WORD).all())
    assert bool((batch["corners"][0][thing] != 0).any(-1).all())
    assert bool(batch["asked"].all()) and bool(batch["one"].all()), "the thing that has a name is asked for"
    assert 0 < int(batch["meant"].sum()) < int(thing.sum())


def test_what_a_box_without_area_holds_is_not_known(tmp_path: Path) -> None:
    facts = SCENE | {"boxes": [[100, 100, 200, 200], BOXES[1]]}
    media = described(tmp_path, scene_masks(), facts)
    labels = on_canvas(Words(["red", "blue", "box"]).labelled(media, 0), (96, 192), PATCH)
    assert set(labels.things.tolist()) == {NO_WORD, 1}
    assert (labels.shown & ~labels.known).any(), "patches of the first box"
    assert not (labels.things[~labels.known] != NO_WORD).any()


def test_words_are_those_that_are_taught(corpus: Path, tmp_path: Path) -> None:
    taught = Words.of(CorpusMedia(corpus, ("scenes", "robots", "sounds"), "train"), WordsConfig(fewest=1))
    assert "red" in taught.words and not {"robot", "white", "say"} & set(taught.words)  # no masks; no pictures
    broken = described(tmp_path, scene_masks(), SCENE | {"labels": None})
    with pytest.raises(FeatureError, match="d: labels: got None"):
        Words.of(broken, WordsConfig(fewest=1))


def test_masks_of_another_size_are_damage(tmp_path: Path) -> None:
    media = described(tmp_path, scene_masks()[:8], SCENE)
    with pytest.raises(FeatureError, match=r"d: masks of \(8, 32\), expected \(32, 32\) as the picture"):
        Words(["box"]).labelled(media, 0)


def test_a_tower_that_its_size_freezes_learns(corpus: Path, tmp_path: Path) -> None:
    vocabulary = Vocabulary.nano()
    frozen = ModelConfig.named("nano", vocab_size=vocabulary.padded_size).replace(freeze_vit=True)
    NetworkBundle(vocabulary).write(tmp_path / "frozen", UnifiedIO2(frozen))
    network = build(config(corpus, tmp_path / "frozen", tmp_path / "run")).network.network
    assert all(one.requires_grad for one in network.towers["image"].parameters())


def test_mistakes_are_named(corpus: Path, init: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="data: give the folder of a corpus"):
        ImageEncoderRun(init=str(init), out=str(tmp_path))
    with pytest.raises(UsageError, match="init: give the folder of a network"):
        ImageEncoderRun(data=str(corpus), out=str(tmp_path))
    with pytest.raises(UsageError, match="sources: give at least one"):
        config(corpus, init, tmp_path, sources=())
    with pytest.raises(TrainError, match=r"init: .* is not a folder"):
        build(config(corpus, tmp_path / "none", tmp_path))
    unnamed = shutil.copytree(init, tmp_path / "unnamed", ignore=shutil.ignore_patterns("vocabulary.model"))
    with pytest.raises(TrainError, match=r"init: .* has no vocabulary; put its tokenizer.model into the folder"):
        build(config(corpus, unnamed, tmp_path))
    write_tiny_corpus(tmp_path / "unsplit", ("train",))
    with pytest.raises(DatasetError, match=r"data: .* no split 'validation'; it has train; leave scenes out of"):
        build(config(tmp_path / "unsplit", init, tmp_path))
    with pytest.raises(DatasetError, match=r"sources: no word is in 100 pictures of .*words\.fewest"):
        build(config(corpus, init, tmp_path, words=WordsConfig(fewest=100)))
