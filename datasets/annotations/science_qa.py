"""ScienceQA with its explanations: questions of lessons, options, some with a picture, and why the answer is right.

Reads `problems.json` (github.com/lupantech/ScienceQA, data/scienceqa), an object of rows by their number:

    question, choices [texts], answer (a number from 0), hint, solution, image ("image.png" or null), split

The picture of number 7 of the split "train" is `train/7/image.png` in the folder of media. The options are written
after the question, the explanation is `solution`; questions without one are left out and counted. All of the file is
held in memory. Questions alone are read by `choices`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.families.multiple_choice import LETTERS

_SCHEMA = "an object of ScienceQA with question, choices, answer, solution, image and split by number"


def read_science_qa(file: Path, folder: Path, family: Family[Any], *, split: str = "train") -> AnnotatedItems:
    """The questions of a file.

    Args:
        file: the questions.
        folder: of the pictures.
        family: `reason`.
        split: train, val or test; "" for all.

    Raises:
        AnnotationError: the file is not one of ScienceQA, or has no question of the split.
    """
    content, found = parsed_file(file, dict, _SCHEMA), ItemList(file, folder, family)
    for key, row in content.items():
        place = f"question {key}"
        with expecting(f"{file}, {place}", _SCHEMA):
            own, options = str(row["split"]), [str(one).strip() for one in row["choices"]]
            if split not in ("", own):
                continue
            steps, image, chosen = str(row["solution"]).strip(), row.get("image"), int(row["answer"])
            if not 0 <= chosen < len(options):
                raise ValueError(f"the answer {chosen} is none of {len(options)} options")
            listed = " ".join(f"({letter}) {text}" for letter, text in zip(LETTERS, options, strict=False))
            asked = [str(row.get("hint") or "").strip(), str(row["question"]).strip(), f"Options: {listed}"]
        if not steps:
            found.leave_out("a question without an explanation", place)
            continue
        values = {"question": "\n".join(one for one in asked if one), "steps": steps, "text": options[chosen]}
        found.add(key, key, values | ({"image": f"{own}/{key}/{image}"} if image else {}), place)
    return found.done()


READ = read_science_qa
FAMILIES = ("reason",)
