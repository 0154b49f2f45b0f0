"""Captions of sounds: AudioCaps, Clotho, MusicCaps and WavCaps, a table about sounds in the folder of media.

Columns of the public files:

    AudioCaps (github.com/cdjkim/audiocaps)      audiocap_id, youtube_id, start_time, caption; several rows a sound
    Clotho 2.1 (zenodo.org, record 4783391)      file_name, caption_1 to caption_5
    MusicCaps (arXiv 2301.11325)                 ytid, start_s, end_s, aspect_list, caption
    WavCaps (arXiv 2303.17395), JSON             {"data": [{"id", "caption", "duration"}]}, a file such as
                                                 bbc_final.json, or the folder json_files for all four of them

A sound of Clotho is file_name, one of WavCaps id. Those of YouTube are found by id, as id, Yid or id_start, with the
start in seconds or milliseconds, whatever their ending; each is taken for the clip of ten seconds that the captions are
about. Clips that are no longer on YouTube, and so not in the folder, are left out and counted. The file is held in
memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import HEARD, SEGMENT, MediaIndex, SoundPart
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.model.tasks.base.family import Family

_ROW = "a row with file_name and caption_1, or with youtube_id, ytid or id, and caption"


def read_audio_captions(file: Path, folder: Path, family: Family[Any], *, seconds: float = HEARD) -> AnnotatedItems:
    """The sounds of a file.

    Args:
        file: the CSV or JSON, or the folder of those of WavCaps.
        folder: of the sounds.
        family: `caption` takes all captions of a sound together, `make_sound` each one with the first segment of its
            sound, which is what a network writes at once.
        seconds: of a sound that are heard, from its beginning; the released networks hear 20.4.

    Raises:
        AnnotationError: the file has other columns.
    """
    found, index = ItemList(file, folder, family), MediaIndex(folder, "sound", "video")
    several: dict[str, list[str]] = {}
    for row, place in _rows(file):
        with expecting(f"{file}, {place}", _ROW):
            name, texts = index.find(*sound_names(row)), _captions(row)
        if name is None:
            found.leave_out("a sound that is not in the media folder", place)
        elif not texts:
            found.leave_out("an empty caption", place)
        else:
            several.setdefault(name, []).extend(texts)
    for name, texts in several.items():
        _add(found, name, texts, seconds)
    return found.done()


def _rows(file: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The rows of a file, or of the parts of WavCaps, and where they are."""
    parts = sorted(file.rglob("*_final.json")) if file.is_dir() else [file]
    for part in parts:
        rows = open_rows(part)
        for number in range(len(rows)):
            yield rows.row(number), f"{part.name}, {rows.place(number)}" if part != file else rows.place(number)


def _add(found: ItemList, name: str, texts: Sequence[str], seconds: float) -> None:
    place = f"sound {name}"
    if found.family.name == "caption":
        found.add(name, name, {"audio": SoundPart(name, seconds), "text": texts[0], "references": texts}, place)
        return
    for number, text in enumerate(texts):
        found.add(f"{name}/{number}", name, {"text": text, "sound": SoundPart(name, SEGMENT)}, place)


def _captions(row: Mapping[str, Any]) -> list[str]:
    several = [row["caption"]] if "caption" in row else [row[key] for key in row if key.startswith("caption_")]
    if not several:
        raise KeyError("caption")
    return [text for one in several if (text := str(one).strip())]


def sound_names(row: Mapping[str, Any]) -> list[str]:
    """The names, without ending, that the sound of a row may have; raises KeyError for a row without one."""
    if "id" in row:
        return [str(row["id"]).removesuffix(".wav")]
    if row.get("file_name"):
        return [PurePosixPath(str(row["file_name"])).stem]
    key, start = (
        str(one_of(row, "youtube_id", "ytid", "YTID", "# YTID")),
        row.get("start_time", row.get("start_s", "0")),
    )
    whole = int(float(start or 0))
    names = [key, f"Y{key}", f"{key}_{whole}", f"{key}_{whole:06d}", f"{key}_{1000 * whole}"]
    return [*names, *([str(row["audiocap_id"])] if "audiocap_id" in row else [])]


READ = read_audio_captions
FAMILIES = ("caption", "make_sound")
