"""Models to compare with: answers without a look at the picture, and those of the most similar training pictures.

    EMBODIO_DATA=corpus embodio-evaluate suite=instruct_nano data=corpus tasks=[scene_questions,scene_relations]
        model=embodio.benchmarks.evaluation.baselines:most_frequent out=runs/most_frequent
    EMBODIO_DATA=corpus EMBODIO_TOWER=runs/pretrain_nano/checkpoint embodio-evaluate suite=instruct_nano data=corpus
        tasks=[clipart_names,clipart_categories] model=embodio.benchmarks.evaluation.baselines:nearest out=runs/nearest

Both learn from the training side of the corpus in the folder EMBODIO_DATA.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.annotations.parts.corpus_facts import VALUES, CorpusReading
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import ROOT_VARIABLE
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Record

if TYPE_CHECKING:
    from embodio.model.example import Image

TOWER_VARIABLE = "EMBODIO_TOWER"
_SOURCES = ("scenes", "robots", "openclipart")
_NEIGHBOURS = 5
_OPENING = 3  # words by which an unknown question is likened to known ones
_BATCH = 32

Floats = npt.NDArray[np.float32]


class MostFrequent:
    """Answers with what is most often right in training: for the same question, for one that begins alike, or for any.

    Args:
        corpus: folder of the corpus.
    """

    def __init__(self, corpus: Path) -> None:
        self._counts: dict[str, dict[tuple[str, ...], Counter[str]]] = {}
        for record in _records(corpus, _SOURCES):
            for family in ("answer_question", "relate", "classify"):
                reading = CorpusReading(text="category" if family == "classify" and "category" in record.facts else "")
                for values in VALUES[family](record, reading):
                    for key in _keys(family, values):
                        self._counts.setdefault(family, {}).setdefault(key, Counter())[values["text"]] += 1

    def run(self, family: str, asked: Sequence[Any], *, seeds: Sequence[int], **how: Any) -> list[Any]:
        """The most frequent answers; raises BenchmarkError for a family that has none."""
        known = self._counts.get(family)
        if known is None:
            raise BenchmarkError(f"{family}: frequent answers are known of {', '.join(self._counts)}; set tasks")
        return [replace(one, text=self._answer(known, _keys(family, vars(one)))) for one in asked]

    @staticmethod
    def _answer(known: Mapping[tuple[str, ...], Counter[str]], keys: Sequence[tuple[str, ...]]) -> str:
        found = next(known[key] for key in keys if key in known)
        return min(found, key=lambda text: (-found[text], text))


def _keys(family: str, values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """What an item has in common with others, the most first."""
    if family == "answer_question":
        words = str(values["question"]).split()
        return [tuple(words), ("", *words[:_OPENING]), ()]
    return [("region",) if values.get("box") is not None else ("whole",)]


class Nearest:
    """Names a picture, and its category, as the training pictures do whose features are nearest (cosine).

    Args:
        corpus: folder of the corpus.
        network: checkpoint whose image tower, frozen, gives the features.
    """

    def __init__(self, corpus: Path, network: Path) -> None:
        from embodio.agent.checkpoint import VOCABULARY
        from embodio.model import Processor, Vocabulary, load

        self._network = load(network, tokenizers=False).eval()
        self._processor = Processor(self._network.config, Vocabulary.from_file(network / VOCABULARY))
        records = [one for one in _records(corpus, ("openclipart",)) if one.image is not None]
        self._labels = {
            "caption": [str(one.facts["title"]) for one in records],
            "classify": [str(one.facts["category"]) for one in records],
        }
        rows = [records[at : at + _BATCH] for at in range(0, len(records), _BATCH)]
        self._known = np.concatenate([self._features([one.image.load() for one in row if one.image]) for row in rows])

    def run(self, family: str, asked: Sequence[Any], *, seeds: Sequence[int], **how: Any) -> list[Any]:
        """The label of the nearest picture, or the most frequent of the five nearest for categories."""
        if family not in self._labels:
            raise BenchmarkError(f"{family}: neighbours have {', '.join(self._labels)}; set tasks")
        labels, count = self._labels[family], _NEIGHBOURS if family == "classify" else 1
        alike = self._features([one.media.image for one in asked]) @ self._known.T
        found = []
        for one, row in zip(asked, alike, strict=True):
            near = [labels[place] for place in np.argsort(-row, kind="stable")[:count]]
            found.append(replace(one, text=Counter(near).most_common(1)[0][0]))
        return found

    def _features(self, pictures: Sequence[Image]) -> Floats:
        """Mean features of the patches of each picture, float32 [N, D] of length 1."""
        import torch

        from embodio.model.example import Example

        made = [self._processor(Example(text="", image=one)) for one in pictures]
        fields = [np.stack([one[f"inputs/image/{name}"] for one in made]) for name in ("input", "pos_ids", "mask")]
        patches, places, mask = (torch.from_numpy(one) for one in fields)
        grid = self._network.config.patch_grids["image"]
        with torch.inference_mode():
            tower = self._network.towers["image"]
            features = tower(patches, grid, places, mask.bool()).joined()
            mean = (features * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return torch.nn.functional.normalize(mean, dim=1).numpy().astype(np.float32)


def most_frequent() -> MostFrequent:
    """For `model=embodio.benchmarks.evaluation.baselines:most_frequent`; raises BenchmarkError without a corpus."""
    return MostFrequent(_folder(ROOT_VARIABLE, "the folder of the corpus"))


def nearest() -> Nearest:
    """For `model=embodio.benchmarks.evaluation.baselines:nearest`; raises BenchmarkError without corpus or network."""
    return Nearest(
        _folder(ROOT_VARIABLE, "the folder of the corpus"), _folder(TOWER_VARIABLE, "a checkpoint with an image tower")
    )


def _folder(variable: str, what: str) -> Path:
    place = Path(os.environ.get(variable, ""))
    if not os.environ.get(variable) or not place.is_dir():
        raise BenchmarkError(f"{variable}: got {os.environ.get(variable, '')!r}; set it to {what}")
    return place


def _records(corpus: Path, sources: Sequence[str]) -> list[Record]:
    """The records of the training side of sources, those that are there."""
    found: list[Record] = []
    for name in sources:
        place = corpus / name / "train"
        if place.is_dir():
            source = open_records(place)
            found += [source.record(index) for index in range(len(source))]
    if not found:
        raise DatasetError(f"{corpus}: there is not one of {', '.join(sources)} in it; embodio-data corpus makes them")
    return found
