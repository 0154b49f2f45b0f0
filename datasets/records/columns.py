"""Columns: rows of named values (JSON, Parquet, Arrow, tfds) as records, with guesses where nothing is said.

A part of a record comes from the first of its columns that a row has. An image, sound or video is bytes; {"bytes": ...,
"path": ...} or {"array": ..., "sampling_rate": ...}, as Hugging Face stores them; or the name of a file next to the
data. Addresses on the web are not fetched.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.errors import DatasetError, UnsafeName
from embodio.datasets.files.byte_files import byte_file
from embodio.datasets.files.remote import is_url
from embodio.datasets.records.decoding import (
    checked_pixels,
    checked_sound,
    image_media,
    sound_media,
    video_media,
)
from embodio.datasets.records.file_records import FileRecords
from embodio.datasets.records.files.file_set import FileSet
from embodio.datasets.records.members import document_of
from embodio.datasets.records.record import Media, Record
from embodio.datasets.records.settings import FIELDS, Origin, RecordSettings, leave_out, refuse
from embodio.model.example import Image, Waveform

GUESSES: Mapping[str, tuple[str, ...]] = {
    "key": ("__key__", "key", "id", "uid", "uuid", "file_name", "filename", "url"),
    "text": ("text", "content", "raw_content", "body", "article", "markdown", "code"),
    "document": ("document", "interleaved"),
    "captions": (
        "captions",
        "caption",
        "TEXT",
        "top_caption",
        "alt_text",
        "sentences",
        "description",
        "captions.text",
        "text",
    ),
    "image": ("image", "jpg", "jpeg", "png", "webp", "img", "picture", "image_bytes"),
    "sound": ("sound", "audio", "wav", "flac", "mp3", "ogg", "speech"),
    "transcript": ("transcript", "transcription", "sentence", "normalized_text"),
    "video": ("video", "mp4", "webm"),
}
"""Part of a record -> the names of columns that are tried for it; "text" is captions only next to media."""

_MEDIA = ("image", "sound", "video")
_LAYOUTS = 256  # of rows, that are remembered
_WHITE, _MOST_CHANNELS = 255, 64
_MAKE: Mapping[str, Callable[..., Media[Any]]] = {"image": image_media, "sound": sound_media, "video": video_media}


@dataclass(frozen=True)
class Columns:
    """Which columns are tried for each part of a record.

    Attributes:
        tried: part -> paths of columns, with dots into nested values.
        folder: of the data, where names of files lead; a path or a URL.
        settings: limits.
    """

    tried: Mapping[str, tuple[str, ...]]
    folder: Path | str
    settings: RecordSettings
    _known: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: RecordSettings, folder: Path | str) -> Columns:
        """Those of the settings, and guesses for the parts that they do not name."""
        said = {part: (names,) if isinstance(names, str) else tuple(names) for part, names in settings.columns.items()}
        said = {part: tuple(name for name in names if name) for part, names in said.items()}
        return cls({part: said.get(part, GUESSES[part]) for part in FIELDS}, folder, settings)

    def found(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Part of a record -> the column of a row that it comes from."""
        found: dict[str, str] = {}
        for part, names in self._possible(tuple(row)):
            is_guess = part not in self.settings.columns
            for name in names:
                if is_guess and (name == "text" and (part == "captions") != bool(set(found) & set(_MEDIA))):
                    continue
                if _fits(part, at_path(row, name)):
                    found[part] = name
                    break
        return found

    def _possible(self, columns: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
        """The parts that rows with some columns may have, media first, as captions depend on them; and from where."""
        if columns not in self._known:
            there = set(columns)
            parts = sorted(FIELDS, key=lambda part: part not in _MEDIA)
            tried = [
                (part, [name for name in self.tried[part] if there & {name, name.partition(".")[0]}]) for part in parts
            ]
            if len(self._known) >= _LAYOUTS:
                self._known.clear()
            self._known[columns] = [(part, tuple(names)) for part, names in tried if names]
        return self._known[columns]

    def record(self, row: Mapping[str, Any], key: str, origin: Origin) -> Record:
        """Makes a record of a row.

        Args:
            row: column -> value.
            key: used if no column holds one.
            origin: for errors.

        Raises:
            CorruptRecordError: a document is damaged, or a named file leads out of the folder.
        """
        found = self.found(row)
        values = {part: at_path(row, name) for part, name in found.items()}
        parts: dict[str, Any] = {"key": str(values["key"]) if "key" in values else key}
        for part in ("text", "transcript"):
            if part in values:
                parts[part] = str(values[part])
        if "captions" in values:
            captions = values["captions"]
            several = [captions] if isinstance(captions, str) else [str(one) for one in captions]
            parts["captions"] = tuple(dict.fromkeys(one.strip() for one in several if one.strip()))
        for part in _MEDIA:
            if part in values and (media := self._media(part, values[part], origin)):
                parts[part] = media
        document = values["document"] if "document" in values else interleaved(row)
        if document:
            parts["document"] = document_of(document, lambda value: self._media("image", value, origin), origin)
        used = {name.partition(".")[0] for name in found.values()} | ({"texts", "images"} if document else set())
        facts = {name: value for name, value in row.items() if name not in used and not _is_empty(value)}
        return Record(**parts, facts=facts)

    def _media(self, part: str, value: Any, origin: Origin) -> Media[Any] | None:
        """The media that a value means; None for addresses, which are not fetched."""
        if isinstance(value, Mapping) and value.get("bytes") is not None:
            value = value["bytes"]
        elif isinstance(value, Mapping) and value.get("array") is not None:
            return Media(lambda: self._of_numbers(part, value, origin))
        elif isinstance(value, Mapping):
            value = value.get("path")
        if isinstance(value, np.ndarray):
            pixels = value
            return Media(lambda: checked_pixels(pixels, origin, self.settings))
        if isinstance(value, str):
            return None if is_url(value) else _MAKE[part](self._file(value, origin), origin, self.settings)
        if isinstance(value, bytes):
            content = value
            return _MAKE[part](lambda: content, origin, self.settings)
        return None

    def _of_numbers(self, part: str, value: Mapping[str, Any], origin: Origin) -> Image | Waveform:
        """A sound or an image that a row holds as numbers; raises CorruptRecordError."""
        try:
            numbers, rate = np.asarray(value["array"]), float(value.get("sampling_rate") or 0)
        except (ValueError, TypeError, OverflowError) as error:
            refuse(origin, f"the {part} is not an array of numbers with a sampling rate ({error})", error)
        if numbers.dtype.kind not in "biuf" or part == "video":
            refuse(origin, f"the {part} is an array of {numbers.dtype} {numbers.shape}, which is not such media")
        if part == "image":
            fits = numbers.dtype.kind in "iu" and numbers.size and numbers.min() >= 0 and numbers.max() <= _WHITE
            return checked_pixels(numbers.astype(np.uint8) if fits else numbers, origin, self.settings)
        if numbers.ndim == 2 and len(numbers) <= _MOST_CHANNELS < numbers.shape[1]:  # channels first
            numbers = numbers.T
        return checked_sound(numbers, rate, origin, self.settings)

    def _file(self, name: str, origin: Origin) -> Callable[[], bytes]:
        """Reads a file that a row names."""
        try:
            file = byte_file(self.folder, name)
        except UnsafeName as error:
            refuse(origin, str(error), error)

        def read() -> bytes:
            try:
                size = file.stamp()[0]
            except DatasetError as error:
                refuse(origin, str(error), error)
            if size > self.settings.largest_record:
                leave_out(origin, f"{name} has {size} bytes, more than largest_record={self.settings.largest_record}")
            try:
                return file.read(0, size)
            except DatasetError as error:  # such as that of a folder
                refuse(origin, str(error), error)
            finally:
                file.close()

        return read


class RowRecords(FileRecords):
    """Records that are rows of named values.

    Attributes:
        columns: what they mean.
    """

    def __init__(self, files: FileSet, settings: RecordSettings) -> None:
        super().__init__(files, settings)
        self.columns = Columns.of(settings, files.root)

    def row(self, index: int) -> Mapping[str, Any]:
        """The values of record `index`; raises CorruptRecordError if it cannot be read."""
        return self._row(*self.locate(index))[0]

    def _read(self, number: int, row: int) -> Record:
        values, origin = self._row(number, row)
        return self.columns.record(values, f"{self.files.names[number]}#{row}", origin)

    @abstractmethod
    def _row(self, number: int, row: int) -> tuple[Mapping[str, Any], Origin]:
        """The values of a row of a file, and where they are."""


def at_path(row: Mapping[str, Any], path: str) -> Any:
    """The value of a column, or of a nested value by a path with dots; None if there is none."""
    if path in row:
        return row[path]
    value: Any = row
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def interleaved(row: Mapping[str, Any]) -> Sequence[Any]:
    """The document of two lists "texts" and "images", each with None where the other has an item; else nothing."""
    texts, images = row.get("texts"), row.get("images")
    if not (isinstance(texts, list) and isinstance(images, list) and len(texts) == len(images)):
        return ()
    pairs = zip(texts, images, strict=True)
    found = [text if isinstance(text, str) else {"image": image} for text, image in pairs if text or image]
    return found if not any(_is_address(one) for one in found) else ()


def loaded_row(value: Any, origin: Origin) -> Mapping[str, Any]:
    """A row; a bare text is {"text": ...}. Raises CorruptRecordError if it is anything else."""
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict):
        refuse(origin, f"a {type(value).__name__}, where named values are expected")
    return value


def _is_address(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part["image"], str) and is_url(part["image"])


def _fits(part: str, value: Any) -> bool:
    """Whether a value can be a part of a record."""
    if _is_empty(value):
        return False
    if part in ("text", "transcript"):
        return isinstance(value, str)
    if part == "captions":
        return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
    if part == "document":
        return isinstance(value, list)
    if part == "key":
        return isinstance(value, str | int)
    return isinstance(value, bytes | str | Mapping | np.ndarray)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | bytes | list | tuple | dict) and not value)
