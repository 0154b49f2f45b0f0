"""Labels of sounds: AudioSet, VGGSound, ESC-50, UrbanSound8K and FSD50K, a CSV about sounds in the folder of media.

Columns of the public files:

    AudioSet (research.google.com/audioset, `balanced_train_segments.csv`), after lines of comments, without a header:
        YTID, start_seconds, end_seconds, positive_labels ("/m/09x0r,/m/05zppz"); names of the labels are in
        `class_labels_indices.csv` next to it: index, mid, display_name
    VGGSound (robots.ox.ac.uk/~vgg/data/vggsound), without a header: YouTube id, start second, label, split
    ESC-50 (github.com/karolpiczak/ESC-50): filename, fold, target, category
    UrbanSound8K: slice_file_name, fold, class
    FSD50K (zenodo.org, record 4060432): fname, labels ("Crash_cymbal,Cymbal"), mids, split

Sounds are found by their names or ids as in `audio_captions`; those that are not in the folder are left out and
counted. The first label is the text, all are references. The file is held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.audio_captions import sound_names
from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import HEARD, MediaIndex, SoundPart
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family

LABELS = "class_labels_indices.csv"
_AUDIOSET = ("YTID", "start_time", "end_time", "positive_labels")
_VGGSOUND = ("YTID", "start_time", "label", "split")
_ROW = "a row of AudioSet, VGGSound, ESC-50, UrbanSound8K or FSD50K"


def read_audio_labels(
    file: Path, folder: Path, family: Family[Any], *, split: str = "", seconds: float = HEARD
) -> AnnotatedItems:
    """The sounds of a file.

    Args:
        file: the CSV.
        folder: of the sounds.
        family: `tag`.
        split: takes the rows of this split, or of this fold of ESC-50; "" for all.
        seconds: of a sound that are heard, from its beginning; the released networks hear 20.4.

    Raises:
        AnnotationError: the file has other columns, or the names of AudioSet's labels are not next to it.
    """
    rows = open_rows(file, columns=_columns(file))
    names = _names_of_labels(file) if rows and "positive_labels" in rows.row(0) else {}
    found, index = ItemList(file, folder, family), MediaIndex(folder, "sound", "video")
    choices = tuple(names.values())
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        if split and split != row.get("split", row.get("fold")):
            continue
        with expecting(f"{file}, {place}", _ROW):
            name, labels = index.find(*_sound_names(row)), _labels(row, names)
        if name is None:
            found.leave_out("a sound that is not in the media folder", place)
        elif not all(labels) or not labels:
            found.leave_out("a label without a name", place)
        else:
            values = {"audio": SoundPart(name, seconds), "text": labels[0], "references": labels, "choices": choices}
            found.add(number, name, values, place)
    return found.done()


def _columns(file: Path) -> Sequence[str]:
    """The columns of a file without a header; none for one that has it."""
    with expecting(file, "text"), file.open(encoding="utf-8") as opened:
        lines = [line for line in (opened.readline() for _ in range(5)) if line.strip()]
    data = next((line for line in lines if not line.startswith("#")), "")
    if "/m/" in data or "/t/" in data or "/g/" in data:
        return () if "," in data and data.startswith(("fname", '"fname')) else _AUDIOSET if lines[0][0] == "#" else ()
    first = data.strip().split(",")
    return _VGGSOUND if len(first) >= 4 and first[1].isdigit() and first[-1].strip('"') in ("train", "test") else ()


def _names_of_labels(file: Path) -> dict[str, str]:
    """Id -> name of the labels of AudioSet."""
    path = file.with_name(LABELS)
    if not path.is_file():
        raise AnnotationError(f"{file}: the names of its labels are not next to it; fetch {LABELS} of AudioSet")
    rows = open_rows(path)
    with expecting(path, "index, mid and display_name"):
        return {row["mid"]: row["display_name"].strip() for row in map(rows.row, range(len(rows)))}


def _sound_names(row: Mapping[str, Any]) -> list[str]:
    named = row.get("filename") or row.get("slice_file_name") or row.get("fname")
    return [PurePosixPath(str(named)).stem] if named else sound_names(row)


def _labels(row: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """The labels of a row in words; "" for one without a name."""
    if "positive_labels" in row:
        return [names.get(key.strip(), "") for key in str(row["positive_labels"]).split(",")]
    if "labels" in row:
        return [one.replace("_", " ").strip() for one in str(row["labels"]).split(",")]
    return [str(one_of(row, "category", "class", "label")).replace("_", " ").strip()]


READ = read_audio_labels
FAMILIES = ("tag",)
