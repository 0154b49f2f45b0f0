"""The image tower learns from labelled pictures, resumes, and a network begins with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.datasets.errors import DatasetError
from embodio.model.config.model import ModelConfig
from embodio.model.errors import ConfigError
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokenizers.files import load_image_tower, save_tokenizer
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import TrainError
from embodio.train.experiments.image_tower import ImageTowerRun, build
from embodio.train.experiments.pretrain.network import load_tower
from embodio.train.main import train
from embodio.train.tokenizers.media import CorpusMedia
from embodio.train.towers.labels import NO_WORD, LabelledPicture, Words, on_canvas
from embodio.train.towers.pictures import drawn
from embodio.train.towers.settings import WordsConfig
from tests.support.datasets.tiny_corpus import BOXES, write_tiny_corpus
from tests.support.train.runs import same_files

PATCH = 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_corpus(tmp_path_factory.mktemp("corpus"))


def config(corpus: Path, out: Path, **changes: Any) -> ImageTowerRun:
    common: dict[str, Any] = {"batch_size": 2, "threads": 1, "workers": 0, "validate_every": 4, "checkpoint_every": 2}
    common |= {"steps": 4, "log_every": 1, "words": WordsConfig(fewest=1), **changes}
    return ImageTowerRun(data=str(corpus), out=str(out), **common)


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
    canvas = (96, 192)
    pixels, labels = on_canvas(seen, canvas, PATCH)
    assert pixels.shape == (*canvas, 3)
    middles = np.stack(np.divmod(np.arange(72), 12), axis=1) + 0.5
    there = labels.words[:, 0] != NO_WORD
    assert not (there & ~labels.known).any()
    corners = labels.boxes[there] + np.tile(middles[there], 2)
    overlap = (corners[:, :2] < middles[there] + 0.5 + 1e-4) & (corners[:, 2:] > middles[there] - 0.5 - 1e-4)
    assert overlap.all(), "a patch belongs to a thing whose box reaches into it"


def test_it_learns_what_is_where(corpus: Path, tmp_path: Path) -> None:
    parts = build(config(corpus, tmp_path, sources=("scenes",)))
    batch, _ = parts.batches.make(0)
    optimiser = torch.optim.AdamW(parts.network.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        outcome = parts.objective(parts.network, batch)
        optimiser.zero_grad()
        outcome.loss.backward()
        optimiser.step()
        losses.append(outcome.loss.item())
    assert losses[-1] < 0.1 * losses[0]
    figures = {name: (one.total / one.divisor).item() for name, one in outcome.figures.items()}
    assert figures["found"] > 0.95 and figures["accuracy"] > 0.95


def test_it_resumes_to_the_bit_and_a_network_begins_with_it(corpus: Path, tmp_path: Path) -> None:
    assert train(config(corpus, tmp_path / "whole")) == 0
    assert train(config(corpus, tmp_path / "parts", steps=2)) == 0
    assert train(config(corpus, tmp_path / "parts")) == 0
    assert same_files(tmp_path / "whole" / "checkpoint", tmp_path / "parts" / "checkpoint")
    tower = load_image_tower(tmp_path / "whole" / "checkpoint")
    network = UnifiedIO2(ModelConfig.named("nano_generalist"))
    load_tower(network, str(tmp_path / "whole" / "checkpoint"))
    for name, tensor in tower.state_dict().items():
        assert torch.equal(network.towers["image"].state_dict()[name], tensor)


def test_mistakes_are_named(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="data: give the folder of a corpus"):
        ImageTowerRun(out=str(tmp_path))
    with pytest.raises(UsageError, match="sources: give at least one"):
        config(corpus, tmp_path, sources=())
    with pytest.raises(DatasetError, match=r"words\.fewest: no word is in 100 pictures"):
        build(config(corpus, tmp_path, words=WordsConfig(fewest=100)))
    with pytest.raises(ConfigError, match="nothing of that name ships"):
        load_tower(UnifiedIO2(ModelConfig.named("nano")), str(tmp_path))
    (tmp_path / "tower").mkdir()
    save_tokenizer(tmp_path / "tower", UnifiedIO2(ModelConfig.named("nano_generalist")).towers["image"])
    with pytest.raises(TrainError, match=r"image_tower: .* is for another size"):
        load_tower(UnifiedIO2(ModelConfig.named("nano")), str(tmp_path / "tower"))
