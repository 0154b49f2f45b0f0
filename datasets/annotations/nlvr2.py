"""NLVR2: whether a sentence is true of two pictures.

Reads `train.json`, `dev.json` and `test1.json` (github.com/lil-lab/nlvr, nlvr2/README.md), one object a line:

    sentence, label ("True" or "False"), identifier ("train-10171-0-0": split, set, pair and sentence)

The pictures are found by their names, `train-10171-0-img0.png` on the left and `train-10171-0-img1.png` on the right,
in whatever folder; pairs that are not all there are left out and counted. Rows are read one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.annotations.parts.rows import open_rows
from embodio.model.tasks.base.family import Family

_ROW = "a sentence, a label of True or False, and an identifier"
_WORDS = {"true": "true", "false": "false"}


def read_nlvr2(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The sentences of a file; the left picture is the earlier one.

    Args:
        file: the sentences.
        folder: of the pictures.
        family: `answer_question`.

    Raises:
        AnnotationError: the file is not one of NLVR2, or no pair of pictures is there.
    """
    rows, found, index = open_rows(file), ItemList(file, folder, family), MediaIndex(folder, "image")
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", _ROW):
            key, text = str(row["identifier"]), _WORDS[str(row["label"]).lower()]
            pair, question = key.rpartition("-")[0], str(row["sentence"]).strip()
            left, right = (index.find(f"{pair}-img{side}") for side in (0, 1))
        if left is None or right is None:
            found.leave_out("a picture that is not in the media folder", place)
            continue
        values = {"image_history": [left], "image": right, "question": question, "pair": True, "text": text}
        found.add(key, pair, values, place)
    return found.done()


READ = read_nlvr2
FAMILIES = ("answer_question",)
