"""Charades and Charades-Ego: what is done in videos of everyday life, from when to when, and what they show.

Reads `Charades_v1_train.csv` and `CharadesEgo_v1_train.csv` (prior.allenai.org/projects/charades, README):

    id, script, descriptions (several, ";" between them), actions ("c092 11.90 21.20;c147 0.00 12.60"), length (seconds)

with the names of the actions in `Charades_v1_classes.txt` next to it, "c000 Holding some clothes". Videos are found by
their ids, in whatever folder; those that are not there are left out and counted. The file is held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.activitynet import Event, add_events
from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES, MediaIndex, VideoPart
from embodio.datasets.annotations.parts.rows import open_rows
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family

CLASSES = "Charades_v1_classes.txt"
_ROW = "a row of Charades with id, script, descriptions, actions and length"


def read_charades(
    file: Path, folder: Path, family: Family[Any], *, frames: int = FRAMES, sound: bool = False
) -> AnnotatedItems:
    """The videos of a file.

    Args:
        file: the CSV.
        folder: of the videos.
        family: `find_events`, each action of a video on its own; `tag`, all of them; or `caption`.
        frames: of a video that are seen, at most one more than the network has slots for.
        sound: whether the sound around each frame is heard.

    Raises:
        AnnotationError: the file is not one of Charades, or the names of its actions are not next to it.
    """
    rows, found, index = open_rows(file), ItemList(file, folder, family), MediaIndex(folder, "video")
    names = {} if family.name == "caption" else _names(file)
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", _ROW):
            key, seconds = str(row["id"]), float(row["length"])
            name, events = index.find(key), events_of(str(row["actions"]), names) if names else []
            texts = [one.strip() for one in str(row["descriptions"]).split(";") if one.strip()]
        video = None if name is None else VideoPart(name, frames, sound)
        if family.name != "caption":
            add_events(found, key, video, seconds, events, place)
        elif video is None or not texts:
            found.leave_out("a video that is not in the media folder" if video is None else "an empty caption", place)
        else:
            found.add(key, video.name, {"video": video, "text": texts[0], "references": texts}, place)
    return found.done()


def events_of(text: str, names: Mapping[str, str]) -> list[Event]:
    """The actions of a video.

    Args:
        text: "class start end" for each, with ";" between them.
        names: class -> name.

    Raises:
        ValueError, KeyError: it is not written so, or a class has no name.
    """
    found = []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        key, start, end = part.split()
        found.append((names[key], float(start), float(end)))
    return found


def _names(file: Path) -> dict[str, str]:
    """Class -> name."""
    path = file.with_name(CLASSES)
    if not path.is_file():
        raise AnnotationError(f"{file}: the names of its actions are not next to it; fetch {CLASSES} of Charades")
    lines = [line.strip().partition(" ") for line in file_text(path).splitlines() if line.strip()]
    return {key: name.strip() for key, _, name in lines}


READ = read_charades
FAMILIES = ("find_events", "tag", "caption")
