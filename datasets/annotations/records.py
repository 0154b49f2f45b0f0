"""Records: any corpus that the readers of records open, for captions, pictures, sounds and transcripts.

WebDataset shards, Parquet and Arrow, TensorFlow Datasets, folders of media with texts next to them, see
docs/records.md: so CC3M, CC12M, RedCaps, LAION and SBU as people keep them. Records are reached at random, and nothing
is held in memory. Each one is an item; one without a caption or a picture, if the family needs it, is an error of its
item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItem, LazyItems, require_distinct
from embodio.datasets.annotations.parts.media import HEARD, SEGMENT
from embodio.datasets.annotations.parts.record_sound import heard
from embodio.datasets.annotations.parts.values import annotation_of
from embodio.datasets.errors import AnnotationError, DatasetError
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Record, RecordSource
from embodio.model.tasks.base.family import Annotation, Family


@dataclass(frozen=True)
class RecordItems(LazyItems):
    """One item for each record of a corpus, read when it is needed.

    Attributes:
        source: the records.
        folder: for annotations; records bring their own media.
        family: what they are for.
    """

    source: RecordSource
    folder: Path
    family: Family[Any]

    def __len__(self) -> int:
        """The number of records."""
        return len(self.source)

    def item(self, index: int) -> AnnotatedItem:
        """The item of a record."""
        return AnnotatedItem(str(index), str(index), partial(self.made, index))

    def made(self, number: int) -> Annotation:
        """The annotation of a record; raises AnnotationError."""
        where = f"{self.source.name}, record {number}"
        try:
            record = self.source.record(number)
            values = _VALUES[self.family.name](record)
            return annotation_of(self.family, values, self.folder, where)
        except AnnotationError:
            raise
        except DatasetError as error:
            raise AnnotationError(str(error)) from error
        except LookupError as error:
            lack = f"it has no {error.args[0]}, as {self.family.name} needs"
            raise AnnotationError(f"{where} ({record.key}): {lack}") from error


def read_records(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    split: str = "",
    reader: str = "",
    columns: Mapping[str, Any] | None = None,
) -> Sequence[AnnotatedItem]:
    """The records of a corpus.

    Args:
        file: a file, a folder or a pattern such as "shards/{0000..0127}.tar".
        folder: not used, as records bring their own media.
        family: `caption`, `draw`, `make_sound` or `transcribe`.
        split: such as "train"; "" for all.
        reader: of records, see docs/records.md; "" for the one that recognises the files.
        columns: part of a record -> the column that holds it, where the guesses are wrong.

    Raises:
        AnnotationError: there are no such files, or no reader opens them.
    """
    settings = {"split": split, "reader": reader, "columns": dict(columns or {})}
    try:
        found = RecordItems(open_records(file, **settings), folder, family)
    except DatasetError as error:
        raise AnnotationError(f"{file}: {error}") from error
    require_distinct(found[:1], file)
    return found


def _captions(record: Record) -> tuple[str, ...]:
    texts = record.captions or ((record.text,) if record.text else ())
    if not texts:
        raise LookupError("caption")
    return texts


def _caption(record: Record) -> dict[str, Any]:
    texts = _captions(record)
    if record.image is not None:
        media: dict[str, Any] = {"image": record.image.load}
    elif record.sound is not None:
        media = {"audio": partial(heard, record, HEARD)}
    else:
        raise LookupError("image or sound")
    return {"text": texts[0], "references": list(texts), **media}


def _draw(record: Record) -> dict[str, Any]:
    if record.image is None:
        raise LookupError("image")
    return {"text": _captions(record)[0], "drawn": record.image.load}


def _make_sound(record: Record) -> dict[str, Any]:
    whole = bool(record.transcript)
    text = record.transcript or _captions(record)[0]
    return {"text": text, "sound": partial(heard, record, SEGMENT, whole)}


def _transcribe(record: Record) -> dict[str, Any]:
    if not record.transcript:
        raise LookupError("transcript")
    return {"text": record.transcript, "audio": partial(heard, record, HEARD, True)}


_VALUES: Mapping[str, Callable[[Record], dict[str, Any]]] = {
    "caption": _caption,
    "draw": _draw,
    "make_sound": _make_sound,
    "transcribe": _transcribe,
}

READ = read_records
FAMILIES = tuple(_VALUES)
