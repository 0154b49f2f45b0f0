"""ICDAR: words in pictures, a text file for each picture with a line for each word.

Reads the folders of ICDAR 2013, 2015 and 2017 MLT, Challenges 2, 4 and 8 (rrc.cvc.uab.es):

    gt_img_1.txt    377,117,463,117,465,130,378,130,Genaxis Theatre     four corners x, y and the word (2015)
                    390,902,1856,902,1856,1225,390,1225,Latin,HOW       with the script before the word (2017 MLT)
    gt_100.txt      158 128 411 181 "Footpath"                          corners x1 y1 x2 y2 and the word (2013)

The annotations are the folder; the picture of gt_img_1.txt is img_1.jpg, in whatever folder. Words of ### are left out
and counted. One text file is read after the other, and the boxes are held in memory.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, file_text
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.annotations.parts.places import box_of_corners, box_of_outline
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.locations.places import fault_of_box

_QUOTED = re.compile(r'^(-?\d+),? (-?\d+),? (-?\d+),? (-?\d+),? "(.*)"$')
_SCRIPTS = {"Arabic", "Latin", "Chinese", "Japanese", "Korean", "Bangla", "Hindi", "Symbols", "Mixed", "None"}
_SCHEMA = "eight numbers and a word after commas, or four numbers and a word in quotes"
_UNREADABLE = "###"


def read_icdar(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The words of each picture, in the order of its file.

    Raises:
        AnnotationError: the annotations are not a folder, or a line is in neither form.
    """
    if not file.is_dir():
        raise AnnotationError(f"{file}: expected a folder of text files such as gt_img_1.txt")
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    for path in sorted(file.glob("*.txt")):
        boxes, labels = [], []
        for number, line in enumerate(file_text(path).splitlines(), start=1):
            if not line.strip():
                continue
            place = f"{path.name}, line {number}"
            with expecting(f"{file}, {place}", _SCHEMA):
                box, text = word_of(line.strip())
            if text in ("", _UNREADABLE):
                found.leave_out("a word that nobody could read", place)
            elif fault := fault_of_box(box, None):
                found.leave_out(fault, place)
            else:
                boxes.append(box)
                labels.append(text)
        with expecting(f"{file}, {path.name}", "one picture of the name"):
            name = index.find(path.stem.removeprefix("gt_"), path.stem)
        if name is None:
            found.leave_out("a picture that is not in the media folder", path.name)
        elif not boxes:
            found.leave_out("a picture without words that can be read", path.name)
        else:
            found.add(path.stem, name, {"image": name, "boxes": boxes, "labels": labels}, path.name)
    return found.done()


def word_of(line: str) -> tuple[list[float], str]:
    """Box (y1, x1, y2, x2) and word of a line; raises ValueError if it is in neither form."""
    if quoted := _QUOTED.match(line):
        return box_of_corners([float(number) for number in quoted.groups()[:4]]), quoted[5].strip()
    parts = line.split(",", 8)
    if len(parts) < 9:
        raise ValueError(f"there are {len(parts) - 1} commas")
    script, comma, word = parts[8].partition(",")
    text = word if comma and script in _SCRIPTS else parts[8]
    return box_of_outline([float(number) for number in parts[:8]]), text.strip().strip('"')


READ = read_icdar
FAMILIES = ("read_text",)
