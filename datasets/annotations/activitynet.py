"""ActivityNet and HACS Segments: what is done in videos, from when to when.

Reads `activity_net.v1-3.min.json` (activity-net.org) and `HACS_segments_v1.1.1.json` (github.com/hangzhaomit/
HACS-dataset, README):

    {"database": {id: {"duration": seconds, "subset": "training", "validation" or "testing",
    "annotations": [{"label", "segment": [start, end]}]}}}

Videos are v_ID or ID, in whatever folder; those that are not there are left out and counted. The file is held in
memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES, MediaIndex, VideoPart
from embodio.model.tasks.base.family import Family

Event = tuple[str, float, float]
"""A name, and beginning and end in seconds."""

_SCHEMA = "an object of ActivityNet with a database of duration, subset and annotations"


def read_activitynet(
    file: Path, folder: Path, family: Family[Any], *, split: str = "", frames: int = FRAMES, sound: bool = False
) -> AnnotatedItems:
    """The videos of a file.

    Args:
        file: the annotations.
        folder: of the videos.
        family: `find_events`, each action of a video on its own, asked for by its name; or `tag`, all of them.
        split: the subset (training or validation); "" for all.
        frames: of a video that are seen, at most one more than the network has slots for.
        sound: whether the sound around each frame is heard.

    Raises:
        AnnotationError: the file is not one of ActivityNet, or no video is there.
    """
    content = parsed_file(file, dict, _SCHEMA)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "video")
    with expecting(file, _SCHEMA):
        database = dict(content["database"])
    for key, row in database.items():
        place = f"video {key}"
        with expecting(f"{file}, {place}", _SCHEMA):
            if split not in ("", row["subset"]):
                continue
            seconds, name = float(row["duration"]), index.find(f"v_{key}", key)
            events = [(str(one["label"]).strip(), *map(float, one["segment"])) for one in row["annotations"]]
        add_events(found, key, None if name is None else VideoPart(name, frames, sound), seconds, events, place)
    return found.done()


def add_events(
    found: ItemList, key: str, video: VideoPart | None, seconds: float, events: Sequence[Any], place: str
) -> None:
    """Adds what is done in a video, or counts why it cannot be used.

    Args:
        found: the items; of `find_events` each name is one, otherwise the video.
        key: of the video.
        video: its frames; None if it is not there.
        seconds: its length; what lasts longer ends with it.
        events: each an `Event`.
        place: for messages.
    """
    if video is None:
        found.leave_out("a video that is not in the media folder", place)
        return
    good = [(name, max(0.0, start), min(end, seconds)) for name, start, end in events if name]
    inside = [event for event in good if event[1] < event[2]]
    if len(inside) < len(events):
        found.leave_out("an action without a name or outside its video", place)
    names = list(dict.fromkeys(name for name, _, _ in inside))
    if not names:
        found.leave_out("a video without actions", place)
    elif found.family.name == "tag":
        found.add(key, video.name, {"video": video, "text": names[0], "references": names}, place)
    else:
        for name in names:
            spans = [[start, end] for own, start, end in inside if own == name]
            values = {"seconds": seconds, "name": name, "spans": spans, "labels": [name] * len(spans)}
            found.add(f"{key}/{name}", video.name, {"video": video} | values, place)


READ = read_activitynet
FAMILIES = ("find_events", "tag")
