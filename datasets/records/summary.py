"""Summary: what the records of a corpus hold, going by some of them, and where their parts come from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from embodio.datasets.errors import CorruptRecordError, UnusableRecord
from embodio.datasets.records.record import Media, Record, RecordSource, Video
from embodio.datasets.tasks.parts.record_task import spread
from embodio.model.processing.audio_features import SAMPLE_RATE

_PARTS = ("text", "document", "captions", "image", "sound", "transcript", "video", "views", "trajectory")
_SHOWN = 60  # characters of an example


@dataclass
class RecordsSeen:
    """What some records hold.

    Attributes:
        count: records that were looked at.
        parts: part, or "fact: NAME" -> how many records have it.
        examples: the same -> what it is in the first of them.
        faults: what is wrong with those that cannot be read or are left out.
    """

    count: int = 0
    parts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def look_at(source: RecordSource, count: int) -> RecordsSeen:
    """Reads and decodes records from across a source.

    Args:
        source: the corpus.
        count: how many at most, evenly spaced.
    """
    seen = RecordsSeen()
    for index in spread(len(source), count):
        seen.count += 1
        try:
            found = {name: described(value) for name, value in _values(source.record(index)).items()}
        except CorruptRecordError as error:
            seen.faults.append(f"cannot be read: {error}")
            continue
        except UnusableRecord as error:
            seen.faults.append(f"left out: {error}")
            continue
        seen.parts.update(list(found))
        seen.examples = found | seen.examples
    return seen


def described(value: Any) -> str:
    """One line about a part of a record; media are decoded, which may raise CorruptRecordError or UnusableRecord."""
    content = value.load() if isinstance(value, Media) else value
    if isinstance(content, Video):
        sound = "with sound" if content.sound is not None else "silent"
        return f"{len(content.frames)} frames of {_size(content.frames[0])} at {content.rate:g} Hz, {sound}"
    if isinstance(content, np.ndarray) and content.ndim == 1 and content.dtype == np.float32:
        return f"{len(content) / SAMPLE_RATE:.2f} s"
    if isinstance(content, np.ndarray):
        return _size(content) if content.dtype == np.uint8 and content.ndim == 3 else f"{content.dtype} {content.shape}"
    if isinstance(content, tuple) and content and all(isinstance(one, str) for one in content):
        return f"{len(content)}, such as {_short(content[0])}"
    return _short(content) if isinstance(content, str | int | float | list | dict) else type(content).__name__


def _values(record: Record) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in _PARTS}
    there = {name: value for name, value in values.items() if value is not None and value != "" and value != ()}
    if record.trajectory is not None:
        there["trajectory"] = f"{len(record.trajectory.images)} images: {record.trajectory.instruction}"
    if record.views:
        there["views"] = f"{len(record.views)} views, {sum(view.pose is not None for view in record.views)} with poses"
    if record.document:
        there["document"] = f"{len(record.document)} parts"
    return there | {f"fact: {name}": value for name, value in record.facts.items()}


def _size(pixels: Any) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]} pixels"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
