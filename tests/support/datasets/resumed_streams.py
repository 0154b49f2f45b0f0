"""Streams of toy data that are read from any batch on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.stream.loader import LoaderConfig
from embodio.datasets.stream.mixture import Mixture, MixtureEntry
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.stream.stream import BatchStream, batches
from embodio.datasets.tasks import named_task
from embodio.model.config.model import ModelConfig
from embodio.model.network.batch import Batch
from embodio.model.processing.processor import Processor
from tests.support.datasets.toy import toy_format

BATCHES, SIZE = 24, 12


def make_stream(folders: tuple[Path, ...], rank: int = 0, ranks: int = 1) -> BatchStream:
    """Two data sets, two tasks, weights that do not sum to one."""
    entries = []
    for number, folder in enumerate(folders):
        reader = RLDSReader(folder)
        form = toy_format(compute_statistics(reader))
        for name, weight in (("next_action", 0.7), ("next_state", 0.2)):
            task = named_task(name)(reader, form, range(len(reader)))
            entries.append(MixtureEntry(f"{number}/{name}", task, weight))
    processor = Processor(ModelConfig.named("nano"), form.vocabulary)
    return BatchStream(Mixture(entries, MixtureConfig()), processor, 5, SIZE, rank=rank, ranks=ranks)


def digests(batch: Batch) -> list[str]:
    """One digest for each example; what is only there to fill up a batch does not count."""
    rows = []
    for row in range(len(batch["inputs/text/tokens"])):
        digest = hashlib.sha256()
        for name in ("inputs/image/input", "inputs/text/tokens", "targets/text/targets"):
            values = batch[name][row].numpy()
            digest.update(np.trim_zeros(values.ravel(), "b").tobytes())
        rows.append(digest.hexdigest()[:16])
    return rows


def read(folders: tuple[Path, ...], start: int, stop: int, rank: int, ranks: int, workers: int) -> Iterator[list[str]]:
    config = LoaderConfig(workers=workers, prefetch=2)
    yield from map(digests, batches(make_stream(folders, rank, ranks), start, stop, config=config))
