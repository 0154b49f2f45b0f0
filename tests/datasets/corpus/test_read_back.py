"""A corpus is read by the readers of records: every part of a sample is where the schema has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from embodio.datasets.corpus.build import build_corpus
from embodio.datasets.corpus.encoding import facts, flac, jpeg, mp4, png
from embodio.datasets.corpus.source import CorpusItem, CorpusPlan, CorpusRequest
from embodio.datasets.corpus.sources.openclipart import OpenClipart
from embodio.datasets.corpus.sources.wordnet import WordNet
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Video
from tests.support.datasets.built_folders import unseen
from tests.support.datasets.debian_files import GLOSSES, write_clipart, write_wordnet

FRAMES = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.full((32, 48, 3), 60, np.uint8)
SOUND = (0.5 * np.sin(np.arange(8000) / 10)).astype(np.float32)
DEPTH = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48)


@dataclass(frozen=True)
class Everything:
    """Samples with all members."""

    title: str = "toy"
    licence: str = "our own"
    ships: bool = True
    packages: tuple[str, ...] = ()
    layout: Literal["webdataset", "jsonl"] = "webdataset"
    shard_records: int = 3
    version: int = 1

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        return CorpusPlan([CorpusItem(f"toy/{index}", {}) for index in range(12)])

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        image = np.full((32, 48, 3), len(item.key), np.uint8)
        return {
            "jpg": jpeg(image),
            "txt": "one caption\nanother caption",
            "depth.png": png(DEPTH),
            "masks.png": png((DEPTH % 7).astype(np.uint8)),
            "view0.jpg": jpeg(image),
            "view1.jpg": jpeg(image),
            "flac": flac(SOUND),
            "mp4": mp4(Video(frames=FRAMES, rate=4.0, sound=SOUND)),
            "json": facts(
                {
                    "transcript": "what is said",
                    "labels": ["cup"],
                    "boxes": [[1, 2, 3, 4]],
                    "views": [{"pose": np.eye(4).tolist(), "intrinsics": np.eye(3).tolist()}] * 2,
                }
            ),
        }


def test_every_part_is_read(tmp_path: Path) -> None:
    build_corpus(tmp_path / "out", {"everything": Everything()}, CorpusRequest(0), 1, unseen)
    source = open_records(tmp_path / "out/everything/train")
    counts = json.loads((tmp_path / "out/corpus.json").read_text())["sources"]["everything"]["records"]
    assert len(source) == counts["train"]
    record = source.record(1)
    assert record.captions == ("one caption", "another caption") and record.transcript == "what is said"
    assert record.image is not None and record.image.load().shape == (32, 48, 3)
    assert record.sound is not None and np.abs(record.sound.load() - SOUND).max() < 1e-4
    video = record.video.load() if record.video is not None else None
    assert video is not None and len(video.frames) == 4 and video.sound is not None
    assert len(record.views) == 2 and np.array_equal(record.views[1].pose, np.eye(4))
    assert np.array_equal(record.facts["depth"].load(), DEPTH)
    assert np.array_equal(record.facts["masks"].load(), DEPTH % 7)
    assert record.facts["boxes"] == [[1, 2, 3, 4]]


def test_pictures_and_texts_are_read(tmp_path: Path) -> None:
    sources = {
        "openclipart": OpenClipart(write_clipart(tmp_path / "art"), shard_records=8),
        "wordnet": WordNet(write_wordnet(tmp_path / "words")),
    }
    build_corpus(tmp_path / "out", sources, CorpusRequest(0), 1, unseen)
    pictures = open_records(tmp_path / "out/openclipart/train")
    assert {pictures.record(index).key.split("/")[0] for index in range(len(pictures))} == {"animals", "food"}
    assert all(pictures.record(index).captions for index in range(len(pictures)))
    texts = [open_records(folder) for folder in (tmp_path / "out/wordnet").iterdir() if folder.name[0] != "."]
    found = [source.record(index).text for source in texts for index in range(len(source))]
    assert len(found) == sum(map(len, GLOSSES.values())) and any("tame wolf" in text for text in found)
