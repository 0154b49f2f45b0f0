"""Folders of classes: pictures sorted into a folder for each class, as ImageNet, iNaturalist, CUB and Caltech are.

    train/n01440764/n01440764_10026.JPEG        the annotations are the folder, here train
    LOC_synset_mapping.txt                      "n01440764 tench, Tinca tinca", ImageNet's names, in or next to it
    train/golden_retriever/1.jpg                without such a file, the folder's own name is that of the class

Numbers before a name go, as in "001.Black_footed_Albatross" of CUB and "00000_Animalia_Arthropoda" of iNaturalist 2021,
and underscores are spaces. Of several names of ImageNet the first is the text and all are references. The names of all
files are held in memory, for 1.3 million pictures of ImageNet about 1 GB.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, ItemList, file_text
from embodio.datasets.errors import AnnotationError
from embodio.datasets.records.decoding import IMAGES
from embodio.model.tasks.base.family import Family

NAMES = ("LOC_synset_mapping.txt", "synset_words.txt")
_SYNSET = re.compile(r"n\d{8}")
_NUMBER = re.compile(r"^\d+[._-]")


def read_class_folders(file: Path, folder: Path, family: Family[Any], *, choices: bool = False) -> AnnotatedItems:
    """The pictures of all folders in a folder.

    Args:
        file: the folder of folders.
        folder: of the media, which it lies in.
        family: `classify`.
        choices: whether a network chooses among the names of all classes; else it names freely.

    Raises:
        AnnotationError: it is not a folder with folders of pictures, or lies outside of the media.
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
        for picture in sorted(path.rglob("*")):
            if picture.suffix[1:].lower() not in IMAGES:
                continue
            place, own = f"picture {picture.relative_to(file).as_posix()}", names[path.name]
            name = (top / picture.relative_to(file)).relative_to(root).as_posix()
            if own:
                values = {"image": name, "text": own[0], "references": own, "choices": options}
                found.add(picture.relative_to(file).as_posix(), name, values, place)
            else:
                found.leave_out("a class without a name", place)
    return found.done()


def _names(file: Path) -> dict[str, list[str]]:
    """Folder -> names of its class, of a file in the folder or above it."""
    for path in (place / name for place in (file, file.parent) for name in NAMES):
        if path.is_file():
            lines = [line.strip().partition(" ") for line in file_text(path).splitlines()]
            found = {key: [one for name in words.split(",") if (one := name.strip())] for key, _, words in lines}
            if any((file / key).is_dir() for key in found):
                return found
    return {}


def _words(name: str) -> list[str]:
    """The name of a folder in words; none for a synset of WordNet, whose number says nothing."""
    words = _NUMBER.sub("", name).replace("_", " ").strip()
    return [] if _SYNSET.fullmatch(name) or not words else [words]


READ = read_class_folders
FAMILIES = ("classify",)
