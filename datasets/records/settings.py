"""RecordSettings: how the files of a corpus become records, and the largest that are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from embodio.datasets.errors import CorruptRecordError, DatasetError, UnusableRecord

FIELDS = ("key", "text", "document", "captions", "image", "sound", "transcript", "video")
"""Parts of a record that columns may be mapped to."""
_MEGABYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class RecordSettings:
    """How records are read. What is beyond a limit is intact but left out (UnusableRecord).

    Attributes:
        reader: name of the reader; "" for the one that recognises the files.
        split: such as "train" or "validation"; "" for data without splits.
        columns: part of a record -> the column or columns that hold it, where the guesses of `Columns` are wrong; ""
            for none. Dots lead into nested values: {"captions": "meta.alt_text"}.
        unit: what is one record of a plain text: "line"; "file"; or "piece", up to `piece_bytes` that end with a
            paragraph, a line or a word where possible.
        piece_bytes: see `unit`.
        duplicates: "drop" leaves out records whose bytes were there before, in text lines and tars.
        largest_record: bytes of a line, a row or a member of a tar.
        largest_image: pixels; a small file may decode to far more than fits into memory. Pillow itself refuses more
            than 178 million.
        smallest_side: pixels of the shorter side of an image.
        most_elongated: longer over shorter side of an image.
        longest_sound: seconds.
        most_frames: frames of a video; of a longer one every second, fourth, ... is kept.
        video_side: pixels of the longer side of frames; larger ones are scaled down.
    """

    reader: str = ""
    split: str = ""
    columns: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    unit: Literal["line", "file", "piece"] = "piece"
    piece_bytes: int = 4096
    duplicates: Literal["keep", "drop"] = "keep"
    largest_record: int = 256 * _MEGABYTE
    largest_image: int = 64 * _MEGABYTE
    smallest_side: int = 8
    most_elongated: float = 32.0
    longest_sound: float = 600.0
    most_frames: int = 64
    video_side: int = 512

    def __post_init__(self) -> None:
        """Checks the values; raises DatasetError."""
        for name, allowed in (("unit", ("line", "file", "piece")), ("duplicates", ("keep", "drop"))):
            if getattr(self, name) not in allowed:
                raise DatasetError(f"{name}: got {getattr(self, name)!r}, expected one of {', '.join(allowed)}")
        for name in ("piece_bytes", "largest_record", "largest_image", "smallest_side", "most_frames", "video_side"):
            if getattr(self, name) < 1:
                raise DatasetError(f"{name}: got {getattr(self, name)}, expected at least 1")
        if not self.most_elongated >= 1.0:
            raise DatasetError(f"most_elongated: got {self.most_elongated}, expected at least 1")
        if not self.longest_sound > 0.0:
            raise DatasetError(f"longest_sound: got {self.longest_sound}, expected a positive number of seconds")
        unknown = sorted(set(self.columns) - set(FIELDS))
        if unknown:
            raise DatasetError(f"columns: {', '.join(unknown)} are not parts of a record; they are {', '.join(FIELDS)}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> RecordSettings:
        """Settings by name; raises DatasetError that lists the names if one is unknown."""
        names = [one.name for one in dataclasses.fields(cls)]
        unknown = sorted(set(settings) - set(names))
        if unknown:
            raise DatasetError(f"settings of records: {', '.join(unknown)} unknown; there are {', '.join(names)}")
        return cls(**settings)


@dataclass(frozen=True)
class Origin:
    """Where a record, or a part of one, was read; for errors.

    Attributes:
        path: file or URL.
        record: number of the record in the file.
        place: "at byte 512" or alike.
    """

    path: str
    record: int
    place: str


REMEDY = "Fetch the file again, or leave the record out"


def refuse(origin: Origin, problem: str, cause: Exception | None = None) -> NoReturn:
    """Raises CorruptRecordError about a part of a record."""
    raise CorruptRecordError(origin.path, origin.record, f"{origin.place}: {problem}", REMEDY) from cause


def leave_out(origin: Origin, problem: str) -> NoReturn:
    """Raises UnusableRecord about a part of a record that is intact, but empty or beyond a limit of the settings."""
    raise UnusableRecord(origin.path, origin.record, f"{origin.place}: {problem}")
