"""VizWiz and TextVQA: questions about pictures with several answers, in one JSON file.

Reads two public forms that differ in a few names:

    VizWiz-VQA (vizwiz.org, `val.json`)         [{"image": "a.jpg", "question", "answerable",
                                                "answers": [{"answer", "answer_confidence"}, ...]}]
    TextVQA 0.5.1 (textvqa.org), DocVQA,        {"data": [{"question_id" or "questionId", "question", "image_id",
    ST-VQA (`train_task_3.json`), TextCaps      "image" or "file_path", "answers": [text, ...]}]}; of TextCaps
                                                "caption_str" or "reference_strs" with "image_id"

A picture is found by its name or id, in whatever folder. The file is held in memory, as Python
objects about five times its size.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.annotations.parts.rows import one_of, open_rows
from embodio.model.tasks.base.family import Family

_ROW = "a question with an image or image_id, and answers"


def read_vizwiz(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The questions of a file, or of TextCaps the captions of each picture.

    The text is the answer given most often, the references are all answers.

    Raises:
        AnnotationError: the file is in neither form.
    """
    rows = open_rows(file)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    captions: dict[str, list[str]] = defaultdict(list)
    for number in range(len(rows)):
        row, place = rows.row(number), rows.place(number)
        with expecting(f"{file}, {place}", _ROW):
            name = index.find(
                PurePosixPath(str(one_of(row, "image_id", "image", "image_local_name", "file_path"))).stem
            )
            texts = _captions(row) if family.name == "caption" else _answers(row)
            question = str(row.get("question") or "").strip()
        if name is None:
            found.leave_out("a picture that is not in the media folder", place)
        elif not texts:
            found.leave_out("a row without an answer", place)
        elif family.name == "caption":
            captions[name] += texts
        elif not question:
            found.leave_out("an empty question", place)
        else:
            best = Counter(texts).most_common(1)[0][0]
            values = {"image": name, "question": question, "text": best, "references": texts}
            found.add(row.get("question_id", row.get("questionId", number)), name, values, place)
    for name, several in captions.items():
        unique = list(dict.fromkeys(several))
        found.add(name, name, {"image": name, "text": unique[0], "references": unique}, f"image {name}")
    return found.done()


def _answers(row: Mapping[str, Any]) -> list[str]:
    several = [one["answer"] if isinstance(one, Mapping) else one for one in row["answers"]]
    return [text for one in several if (text := str(one).strip())]


def _captions(row: Mapping[str, Any]) -> list[str]:
    several = row.get("reference_strs") or [row["caption_str"]]
    return [text for one in several if (text := str(one).strip())]


READ = read_vizwiz
FAMILIES = ("answer_question", "caption")
