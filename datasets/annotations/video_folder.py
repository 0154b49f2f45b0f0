"""Folders of videos: what is seen so far, and the next frame.

Any folder of videos, at any depth. Nothing but names is held in memory.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES
from embodio.datasets.errors import AnnotationError
from embodio.datasets.records.decoding import VIDEOS
from embodio.model.example import Image
from embodio.model.processing.video_files import Clip, read_video
from embodio.model.tasks.base.family import Family


def read_video_folder(file: Path, folder: Path, family: Family[Any], *, frames: int = FRAMES) -> AnnotatedItems:
    """The videos of a folder.

    Args:
        file: the folder.
        folder: not used, as the videos are in it.
        family: `next_frame`.
        frames: that are seen, at most one more than the network has slots for; they and the next one are the middles of
            equal parts of the video.

    Raises:
        AnnotationError: the annotations are not a folder, or there is no video in it.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder of videos")
    if frames < 1:
        raise AnnotationError(f"{file}: frames: got {frames}, expected at least 1")
    found = ItemList(file, file, family)
    for path in sorted(file.rglob("*")):
        if path.suffix[1:].lower() in VIDEOS:
            name = path.relative_to(file).as_posix()
            values = {"video": partial(_seen, path, frames), "drawn": partial(_next, path, frames)}
            found.add(name, name, values, f"file {name}")
    return found.done()


def _seen(path: Path, frames: int) -> dict[str, Any]:
    return Clip(_frames(path, frames).frames[:-1], ()).inputs()


def _next(path: Path, frames: int) -> Image:
    return _frames(path, frames).frames[-1]


@lru_cache(maxsize=1)
def _frames(path: Path, frames: int) -> Clip:
    """The frames and the next one; kept, as both are asked for one after the other."""
    return read_video(path, frames=frames + 1, sound=False)


READ = read_video_folder
FAMILIES = ("next_frame",)
