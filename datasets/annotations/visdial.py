"""VisDial: dialogues about pictures, in which questions refer to earlier ones.

Reads `visdial_1.0_train.json`, `visdial_1.0_val.json` and test (visualdialog.org/data, v1.0):

    {"data": {"questions": [texts], "answers": [texts], "dialogs": [{"image_id", "caption", "dialog": [{"question":
    number of a question, "answer": number of an answer, "answer_options", "gt_index"}]}]}}

Each answer is an item, with the turns before it; the caption, which both speakers know, is said before the first
question. Pictures are found as COCO_train2014_*, COCO_val2014_*, VisualDialog_val2018_* or VisualDialog_test2018_* with
the id in 12 digits, in whatever folder. Dialogues whose picture is not there, and questions without an answer, are left
out and counted. All of the file is held in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.model.tasks.base.family import Family

_SCHEMA = "an object of VisDial 1.0 with data of questions, answers and dialogs"
_DIALOGUE = "image_id, caption, and a dialog of questions and answers"
_NAMES = ("COCO_train2014", "COCO_val2014", "VisualDialog_val2018", "VisualDialog_test2018")


def read_visdial(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The answers of a file.

    Args:
        file: the dialogues.
        folder: of the pictures.
        family: `chat`.

    Raises:
        AnnotationError: the file is not one of VisDial, or no picture is there.
    """
    content, found = parsed_file(file, dict, _SCHEMA), ItemList(file, folder, family)
    with expecting(file, _SCHEMA):
        data = content["data"]
        asked, said, dialogues = data["questions"], data["answers"], list(data["dialogs"])
    index = MediaIndex(folder, "image")
    for number, dialogue in enumerate(dialogues):
        place = f"dialogue number {number}"
        with expecting(f"{file}, {place}", _DIALOGUE):
            key, turns = int(dialogue["image_id"]), [text_of(dialogue["caption"])]
            image = index.find(*(f"{name}_{key:012d}" for name in _NAMES))
            rounds = [(text_at(asked, one["question"]), one.get("answer")) for one in dialogue["dialog"]]
            answers = [None if answer is None else text_at(said, answer) for _, answer in rounds]
        if image is None:
            found.leave_out("a picture that is not in the media folder", place)
            continue
        for turn, ((question, _), answer) in enumerate(zip(rounds, answers, strict=True)):
            turns = [f"{turns[0]}. {question}?"] if turn == 0 else [*turns, f"{question}?"]
            if answer is None:
                found.leave_out("a question without an answer", f"{place}, turn {turn}")
                break
            found.add(f"{key}/{turn}", image, {"image": image, "turns": turns, "text": answer}, f"{place}, turn {turn}")
            turns = [*turns, answer]
    return found.done()


def text_of(value: Any) -> str:
    """A text without blanks around it; raises TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"got {value!r} in place of a text")
    return value.strip()


def text_at(texts: Any, number: Any) -> str:
    """The text with a number, from 0 on; raises TypeError or IndexError."""
    if not isinstance(texts, list) or not isinstance(number, int) or number < 0:
        raise TypeError(f"got {number!r} in place of the number of a text, from 0 on")
    return text_of(texts[number])


READ = read_visdial
FAMILIES = ("chat",)
