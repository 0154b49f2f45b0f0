"""EpisodeReader: reads the fields, facts and language of one episode on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import METADATA, STEPS, EpisodeFeatures, TensorFeature, TextFeature
from embodio.datasets.errors import CorruptRecordError, FeatureError
from embodio.datasets.sources.hdf5.dialect import Dialect
from embodio.datasets.sources.hdf5.episodes import EpisodePlace
from embodio.datasets.sources.hdf5.facts import Fact, facts_of
from embodio.datasets.sources.hdf5.fields import Field, text_of
from embodio.datasets.sources.hdf5.files import REMEDY, OpenFiles, readable

ID, FILE, FILTER = f"{METADATA}/episode_id", f"{METADATA}/file", f"{METADATA}/filter_"


@dataclass(frozen=True)
class Readable:
    """The common properties of all episodes of a data set.

    Attributes:
        files: of the data set.
        dialect: of the files.
        fields: our path -> field of the steps.
        features: what an episode holds.
        language: fields with the instruction, the surest first; those of one group are paraphrases.
        instruction: instruction for data without a field of it.
    """

    files: OpenFiles
    dialect: Dialect
    fields: Mapping[str, Field]
    features: EpisodeFeatures
    language: Sequence[Sequence[str]]
    instruction: str


class EpisodeReader:
    """Reads one episode (legend: T steps); all methods raise CorruptRecordError where what they read is damaged."""

    def __init__(self, common: Readable, place: EpisodePlace, index: int, length: int) -> None:
        """Takes the common properties, the episode's place, its number and T."""
        self._common, self._place, self._index, self._length = common, place, index, length

    def column(self, path: str) -> npt.NDArray[Any]:
        """Numbers of all steps, [T, *shape]."""
        field = self._common.fields[path]
        values: npt.NDArray[Any] = self._read(field, slice(self._length))
        feature = self._common.features.steps[path]
        if feature == TensorFeature("bool"):  # even if it is stored as a number, or a vector of one
            return values.astype(bool).reshape(len(values))
        return values.astype(feature.numpy_dtype, copy=False) if isinstance(feature, TensorFeature) else values

    def frame(self, path: str, step: int) -> npt.NDArray[np.uint8]:
        """The image of one step, uint8 [H, W, C]."""
        field = self._common.fields[path]
        if field.pixels is None:
            raise FeatureError(f"{path} is not an image; read it with array() or text()")
        return field.pixels.image(self._read(field, step))

    def text(self, path: str, step: int) -> str:
        """A text of one step."""
        field = self._common.fields[path]
        return self._as_text(field, self._read(field, step))

    def texts(self, path: str, step: int | None) -> tuple[str, ...]:
        """Several texts of one step, those that are not empty."""
        field = self._common.fields[path]
        found = (self._as_text(field, value) for value in np.ravel(self._read(field, step or 0)))
        return tuple(text for text in found if text)

    def fact(self, path: str) -> Any:
        """A value of the whole episode."""
        if path == ID:
            return self._place.name
        if path == FILE:
            return str(self._path.relative_to(self._common.files.root))
        if path.startswith(FILTER) and path.removeprefix(FILTER) in self._place.masks:
            return self._place.masks[path.removeprefix(FILTER)]
        value = self._facts.get(path.removeprefix(f"{METADATA}/"))
        feature = self._common.features.episode.get(path)
        if isinstance(feature, TensorFeature):
            if value is None or isinstance(value, str | tuple):
                raise CorruptRecordError(self._path, self._index, f"{path} is {value!r}, expected a number", REMEDY)
            return {"bool": bool, "int64": int}.get(feature.dtype, float)(value)
        texts = value if isinstance(value, tuple) else () if value is None else (str(value),)
        return next(iter(texts), "") if isinstance(feature, TextFeature) else texts

    def said(self, step: int) -> tuple[str, ...]:
        """The instruction at one step, in all paraphrases; one empty text if there is none."""
        for group in self._common.language:
            found = tuple(dict.fromkeys(text for path in group for text in self._words(path, step) if text))
            if found:
                return found
        return (self._common.instruction,)

    def _words(self, path: str, step: int) -> tuple[str, ...]:
        if path.startswith(f"{STEPS}/"):
            return self.texts(path.removeprefix(f"{STEPS}/"), step)
        if path in self._common.fields:
            return (self.text(path, step),)
        found = self.fact(path)
        return found if isinstance(found, tuple) else (str(found),)

    @property
    def _path(self) -> Path:
        return self._common.files.paths[self._place.file]

    @cached_property
    def _facts(self) -> dict[str, Fact]:
        with readable(self._path, self._index, "attributes"):
            file = self._common.files.file(self._place.file, self._index)
            return facts_of(file, self._common.dialect, self._path, self._place.group, self._length)

    def _read(self, field: Field, place: int | slice) -> Any:
        with readable(self._path, self._index, field.name):
            file = self._common.files.file(self._place.file, self._index)
            item = file[f"{self._place.group}/{field.name}" if self._place.group else field.name]
            if item.shape[0] < self._length:
                raise ValueError(f"{item.shape[0]} values in an episode of {self._length} steps")
            return item[place]

    def _as_text(self, field: Field, value: Any) -> str:
        found = text_of(value)
        if found is None:
            raise CorruptRecordError(self._path, self._index, f"{field.name}: bytes that are not UTF-8 text", REMEDY)
        return found
