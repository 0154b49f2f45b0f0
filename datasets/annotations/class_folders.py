"""Folders of classes: pictures, videos or sounds sorted into a folder for each class.

So ImageNet, Places, iNaturalist, CUB, Caltech, Food-101 and DTD are kept; UCF101 and HMDB51 as videos; Speech Commands
and GTZAN as sounds:

    train/n01440764/n01440764_10026.JPEG        the annotations are the folder, here train
    LOC_synset_mapping.txt                      "n01440764 tench, Tinca tinca", ImageNet's names, in or next to it
    train/golden_retriever/1.jpg                without such a file, the folder's own name is that of the class

Numbers before a name go, as in "001.Black_footed_Albatross" of CUB and "00000_Animalia_Arthropoda" of iNaturalist 2021,
underscores are spaces, and ApplyEyeMakeup is three words. Of several names of ImageNet the first is the text and all
are references. The names of all files are held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import FRAMES, HEARD, SoundPart, VideoPart
from embodio.datasets.errors import AnnotationError
from embodio.datasets.records.decoding import IMAGES, SOUNDS, VIDEOS
from embodio.model.tasks.base.family import Family

NAMES = ("LOC_synset_mapping.txt", "synset_words.txt")
_ENDINGS: Mapping[str, tuple[str, ...]] = {"classify": IMAGES, "tag": (*VIDEOS, *SOUNDS)}
_SYNSET = re.compile(r"n\d{8}")
_NUMBER = re.compile(r"^\d+[._-]")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def read_class_folders(
    file: Path,
    folder: Path,
    family: Family[Any],
    *,
    choices: bool = False,
    frames: int = FRAMES,
    seconds: float = HEARD,
) -> AnnotatedItems:
    """The files of all folders in a folder.

    Args:
        file: the folder of folders.
        folder: of the media, which it lies in.
        family: `classify` takes the pictures, `tag` videos and sounds.
        choices: whether a network chooses among the names of all classes; else it names freely.
        frames: of a video that are seen, at most one more than the network has slots for.
        seconds: of a sound that are heard, from its beginning.

    Raises:
        AnnotationError: it is not a folder with folders of such files, or lies outside of the media.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder with a folder for each class")
    root, top = folder.resolve(), file.resolve()
    if not top.is_relative_to(root):
        raise AnnotationError(f"{file}: it lies outside of the folder of media, {folder}")
    known, found = _names(file), ItemList(file, folder, family)
    classes = sorted(path for path in file.iterdir() if path.is_dir())
    names = {path.name: known.get(path.name) or _words(path.name) for path in classes}
    options = tuple(dict.fromkeys(own[0] for own in names.values() if own)) if choices else ()
    for path in classes:
        own = names[path.name]
        for one in sorted(path.rglob("*")):
            if one.suffix[1:].lower() not in _ENDINGS[family.name]:
                continue
            key = one.relative_to(file).as_posix()
            name = (top / key).relative_to(root).as_posix()
            if own:
                values = _media(name, frames, seconds) | {"text": own[0], "references": own, "choices": options}
                found.add(key, name, values, f"file {key}")
            else:
                found.leave_out("a class without a name", f"file {key}")
    return found.done()


def _media(name: str, frames: int, seconds: float) -> dict[str, Any]:
    ending = name.rpartition(".")[2].lower()
    if ending in IMAGES:
        return {"image": name}
    return {"video": VideoPart(name, frames)} if ending in VIDEOS else {"audio": SoundPart(name, seconds)}


def _names(file: Path) -> dict[str, Sequence[str]]:
    """Folder -> names of its class, of a file in the folder or above it."""
    for path in (place / name for place in (file, file.parent) for name in NAMES):
        if path.is_file():
            lines = [line.strip().partition(" ") for line in file_text(path).splitlines()]
            return {key: [one for name in words.split(",") if (one := name.strip())] for key, _, words in lines}
    return {}


def _words(name: str) -> Sequence[str]:
    """The name of a folder in words; none for a synset of WordNet, whose number says nothing."""
    words = _CAPITAL.sub(" ", _NUMBER.sub("", name)).replace("_", " ").strip()
    return () if _SYNSET.fullmatch(name) or not words else (words,)


READ = read_class_folders
FAMILIES = tuple(_ENDINGS)
