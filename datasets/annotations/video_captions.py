"""Captions of videos: MSR-VTT, VATEX and lists, a JSON file with the captions of videos.

    MSR-VTT (`train_val_videodatainfo.json`)    {"videos": [{"video_id", "split"}], "sentences": [{"sen_id", "video_id",
                                                "caption"}]}
    VATEX 1.1 (`vatex_validation_v1.0.json`)    [{"videoID", "enCap": [10 texts], "chCap": [...]}]
    lists (WebVid and others; also CSV and      [{"video" or "video_id" or "videoid", "caption" or "captions" or
    Parquet)                                    "name"}]

A video is found by its name or id, whatever its ending; the ids of VATEX, which end with start and end of the clip, are
its names. Videos that are not in the folder are left out and counted. Frames are the middles of equal parts of the
whole file. JSON and CSV are held in memory, as Python objects about five times their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES, MediaIndex, VideoPart
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.model.tasks.base.family import Family

_VIDEOS = ("video", "video_id", "videoID", "videoid", "id")
_CAPTIONS = ("enCap", "captions", "caption", "name", "text")
_ROW = f"a video as one of {', '.join(_VIDEOS)}, and one of {', '.join(_CAPTIONS)}"


def read_video_captions(
    file: Path, folder: Path, family: Family[Any], *, split: str = "", frames: int = FRAMES, sound: bool = False
) -> AnnotatedItems:
    """The videos of a file, each with all its captions.

    Args:
        file: the captions.
        folder: of the videos.
        family: `caption`.
        split: of MSR-VTT, takes the videos of this split (train, validate or test); "" for all.
        frames: of a video that are seen, at most one more than the network has slots for.
        sound: whether the sound around each frame is heard.

    Raises:
        AnnotationError: the file is in neither form.
    """
    found, index = ItemList(file, folder, family), MediaIndex(folder, "video")
    several: dict[str, list[str]] = {}
    for key, text, place in _captions(file, split):
        with expecting(f"{file}, {place}", _ROW):
            name = index.find(PurePosixPath(key).stem, key)
        if name is None:
            found.leave_out("a video that is not in the media folder", place)
        elif not text:
            found.leave_out("an empty caption", place)
        else:
            several.setdefault(name, []).append(text)
    for name, texts in several.items():
        values = {"video": VideoPart(name, frames, sound), "text": texts[0], "references": texts}
        found.add(name, name, values, f"video {name}")
    return found.done()


def _captions(file: Path, split: str) -> Iterator[tuple[str, str, str]]:
    """Video, caption and place of each caption."""
    content = parsed_file(file, (dict, list), "JSON") if file.suffix == ".json" else None
    if isinstance(content, dict) and "sentences" in content:
        yield from _msrvtt(file, content, split)
        return
    rows = open_rows(file)
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", _ROW):
            key, texts = str(one_of(row, *_VIDEOS)), one_of(row, *_CAPTIONS)
        for text in [texts] if isinstance(texts, str) else texts:
            yield key, str(text).strip(), place


def _msrvtt(file: Path, content: Mapping[str, Any], split: str) -> Iterator[tuple[str, str, str]]:
    with expecting(file, "an object of MSR-VTT with videos and sentences"):
        chosen = {row["video_id"] for row in content["videos"] if split in ("", row.get("split"))}
    for number, row in enumerate(content["sentences"]):
        place = f"sentence number {number}"
        with expecting(f"{file}, {place}", "video_id and caption"):
            key, text = str(row["video_id"]), str(row["caption"]).strip()
        if key in chosen:
            yield key, text, place


READ = read_video_captions
FAMILIES = ("caption",)
