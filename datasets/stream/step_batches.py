"""StepBatches: raw steps of a data set in batches, for other networks and for inspection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from embodio.datasets.codecs.image_codec import decode_images_into
from embodio.datasets.episodes.cache import DEFAULT_BYTES, EpisodeCache
from embodio.datasets.episodes.features import EpisodeFeatures, Feature, ImageFeature, TextFeature
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView, encoded_frame, put_frame
from embodio.datasets.errors import DatasetError, ExampleError, FeatureError
from embodio.datasets.stream.numbered_batches import PROBLEMS, NumberedBatches
from embodio.datasets.stream.order import records_at
from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.network.batch import Allocate, Batch


class StepRecords:
    """The steps of a data set by number, in order of the episodes.

    Args:
        source: the data set.
        fields: paths of numeric fields and images; None takes all.
        episodes: which ones; None takes all. Damaged ones are left out and listed in `damaged`.
        cache_bytes: memory for episodes that are kept open, in each process.

    Attributes:
        damaged: the damaged episodes.

    Raises:
        FeatureError: a field is missing, or is text.
        DatasetError: no episode is left.
    """

    def __init__(
        self,
        source: EpisodeSource,
        fields: Sequence[str] | None = None,
        episodes: Sequence[int] | None = None,
        cache_bytes: int = DEFAULT_BYTES,
    ) -> None:
        index = index_episodes(source)
        chosen = range(len(source)) if episodes is None else episodes
        wanted = set(chosen)
        self.damaged: tuple[ExampleError, ...] = tuple(e for e in index.errors(source.name) if e.episode in wanted)
        self._numbers = np.array([number for number in chosen if index.lengths[number]], np.int64)
        if not len(self._numbers):
            raise DatasetError(f"{source.name}: all of the {len(chosen)} chosen episodes are empty or damaged")
        self._lengths = index.lengths[self._numbers]
        self._ends = np.cumsum(self._lengths)
        self._size = int(self._ends[-1])
        self._name = source.name
        self._cache = EpisodeCache(source, cache_bytes)
        self._images, self._arrays = _sorted_out(source.features, fields)
        self._layout = self._laid_out(source.features)

    def __len__(self) -> int:
        """Steps of all episodes together."""
        return self._size

    def locate(self, index: int) -> tuple[int, int]:
        """Episode and step of record `index`."""
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index}: there are {len(self)}")
        return self._locate([index])[0]

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return Place(self._name, *self.locate(index))

    def buffers(self, rows: int, allocate: Allocate) -> dict[str, npt.NDArray[Any]]:
        """Arrays [rows, ...] for each field, to be filled by `read`."""
        return {path: allocate((rows, *shape), dtype) for path, (shape, dtype) in self._layout.items()}

    def read(self, index: int, buffers: Mapping[str, npt.NDArray[Any]], row: int) -> None:
        """Puts the fields of record `index` into one row: images uint8 [H, W, C], numbers as declared.

        Raises:
            CorruptRecordError, FeatureError: the requested data is damaged.
        """
        number, inside = self.locate(index)
        episode: EpisodeView = self._cache.episode(number)
        for path in self._images:
            put_frame(episode, path, inside, buffers[path][row])
        for path in self._arrays:
            buffers[path][row] = episode.array(path)[inside]

    def read_all(self, indices: npt.NDArray[np.int64], buffers: Mapping[str, npt.NDArray[Any]]) -> list[int]:
        """As `read` for the first N rows, faster: images are decoded together.

        Args:
            indices: of the records, int64 [N].
            buffers: as returned by `buffers`.

        Returns:
            The rows, in order, that could not be read this way; `read` says what is wrong with them.
        """
        left: set[int] = set()
        arrays = [(path, buffers[path]) for path in self._arrays]
        frames = [[b""] * len(indices) for _ in self._images]  # empty bytes are not an image, so these are reported
        for row, (number, step) in enumerate(self._locate(indices)):
            try:
                episode = self._cache.episode(number)
                for path, column in zip(self._images, frames, strict=True):
                    column[row] = encoded_frame(episode, path, step) or b""
                for path, array in arrays:
                    array[row] = episode.array(path)[step]
            except PROBLEMS:
                left.add(row)
        for path, column in zip(self._images, frames, strict=True):
            left.update(decode_images_into(column, buffers[path]))
        return sorted(left)

    def _locate(self, indices: npt.NDArray[np.int64] | Sequence[int]) -> list[tuple[int, int]]:
        """Episode and step of each record."""
        places = np.searchsorted(self._ends, indices, side="right")
        steps = indices - self._ends[places] + self._lengths[places]
        return list(zip(self._numbers[places].tolist(), steps.tolist(), strict=True))

    def _laid_out(self, features: EpisodeFeatures) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and dtype of each field; images of undeclared size must all match the first one."""
        layout: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        first = self._cache.episode(int(self._numbers[0]))
        for path in self._images:
            feature = _feature(features, path)
            if not isinstance(feature, ImageFeature) or feature.height is None or feature.width is None:
                shape = first.frame(path, 0).shape
            else:
                shape = (feature.height, feature.width, feature.channels)
            layout[path] = (shape, np.dtype(np.uint8))
        for path in self._arrays:
            array = first.array(path)
            layout[path] = (array.shape[1:], array.dtype)
        return layout


class StepBatches(NumberedBatches[StepRecords]):
    """Batches of steps in random order, each once an epoch; every tensor is [batch, ...]. See `NumberedBatches`.

    The `Loader` makes them ahead of time:

        stream = StepBatches(StepRecords(source), seed=0, batch_size=64)
        with Loader(stream, 0, 1000, LoaderConfig(threads=2)) as loader:
            for batch in loader: ...
    """

    def __init__(self, task: StepRecords, seed: int, batch_size: int, *, rank: int = 0, ranks: int = 1) -> None:
        super().__init__(task, seed, batch_size, rank=rank, ranks=ranks)
        self._records = task

    def make(self, step: int, allocate: Allocate = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`, and what was wrong with the records that were replaced in it."""
        damage: list[ExampleError] = []
        positions = self.positions(step)
        buffers = self._records.buffers(len(positions), allocate)

        def read(task: StepRecords, record: int, position: int) -> None:
            task.read(record, buffers, position - positions.start)

        for row in self._records.read_all(records_at(self._seed, positions, len(self._records)), buffers):
            self._first_whole(positions[row], damage, read)
        return {path: torch.from_numpy(array) for path, array in buffers.items()}, tuple(damage)


def _sorted_out(features: EpisodeFeatures, fields: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The images and the numeric fields among those that are requested."""
    known = features.steps
    if fields is None:
        fields = [path for path, feature in known.items() if not isinstance(feature, TextFeature)]
    images: list[str] = []
    arrays: list[str] = []
    for field in fields:
        feature = _feature(features, field)
        if feature is None or isinstance(feature, TextFeature):
            there = ", ".join(sorted(path for path, kind in known.items() if not isinstance(kind, TextFeature)))
            raise FeatureError(f"steps have no numeric field or image {field!r}; they have {there}")
        (images if isinstance(feature, ImageFeature) else arrays).append(field)
    return tuple(images), tuple(arrays)


def _feature(features: EpisodeFeatures, field: str) -> Feature | None:
    return features.steps.get(field, features.steps.get(f"observation/{field}"))
