"""Actions in videos: Something-Something, Kinetics, UCF101 and their like, a file with the label of each video.

    Something-Something v2 (`validation.json`)    [{"id": "78687", "label": "holding potato next to vicks vaporub",
                                                  "template": "Holding [something] next to [something]"}]; the text is
                                                  the label, or with `templates` the template without its brackets
    Kinetics (`val.csv`)                          label, youtube_id, time_start, time_end, split; the video is
                                                  youtube_id_000005_000015 or youtube_id
    UCF101 (`trainlist01.txt`)                    lines "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"; the text is the
                                                  folder in words
    lists (JSON, CSV, Parquet)                    "video" or "video_id", and "label"

Videos that are not in the folder are left out and counted. The file is held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES, MediaIndex, VideoPart
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.model.tasks.base.family import Family

_ROW = "a row with a label, and video, video_id, youtube_id or id"
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def read_video_labels(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    templates: bool = False,
    choices: bool = False,
    frames: int = FRAMES,
    sound: bool = False,
) -> AnnotatedItems:
    """The videos of a file.

    Args:
        file: the labels.
        folder: of the videos.
        family: `tag`.
        templates: of Something-Something, takes the template as the label, 174 classes, rather than the description.
        choices: whether a network chooses among all labels of the file; else it names freely.
        frames: of a video that are seen, at most one more than the network has slots for.
        sound: whether the sound around each frame is heard.

    Raises:
        AnnotationError: the file is in none of the forms.
    """
    found, index = ItemList(file, folder, family), MediaIndex(folder, "video")
    rows = list(_labels(file, templates))
    options = tuple(dict.fromkeys(label for _, label, _ in rows if label)) if choices else ()
    for names, label, place in rows:
        with expecting(f"{file}, {place}", _ROW):
            name = index.find(*names)
        if name is None:
            found.leave_out("a video that is not in the media folder", place)
        elif not label:
            found.leave_out("an empty label", place)
        else:
            values = {"video": VideoPart(name, frames, sound), "text": label, "choices": options}
            found.add(f"{name}/{place}", name, values, place)
    return found.done()


def _labels(file: Path, templates: bool) -> Iterator[tuple[list[str], str, str]]:
    """Names that the video may have, label and place of each row."""
    if file.suffix == ".txt":
        for number, line in enumerate(file_text(file).splitlines(), start=1):
            path = PurePosixPath(line.split(" ")[0])
            if line.strip():
                yield [path.stem], _CAPITAL.sub(" ", path.parent.name).lower(), f"line {number}"
        return
    rows = open_rows(file)
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", _ROW):
            label = str(row["template"] if templates else row["label"]).replace("[", "").replace("]", "").strip()
            yield _names(row), label.lower(), place


def _names(row: Mapping[str, Any]) -> list[str]:
    key = str(one_of(row, "video", "video_id", "youtube_id", "id"))
    stem = PurePosixPath(key).stem if key.endswith((".mp4", ".avi", ".webm")) else key
    if row.get("time_start") in (None, ""):
        return [stem]
    return [f"{stem}_{int(float(row['time_start'])):06d}_{int(float(row['time_end'])):06d}", stem]


READ = read_video_labels
FAMILIES = ("tag",)
