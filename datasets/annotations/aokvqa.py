"""A-OKVQA: questions about pictures of COCO 2017, with choices and with free answers, a JSON list.

Reads `aokvqa_v1p0_val.json` and its like (github.com/allenai/aokvqa, version 1.0; Schwenk et al., arXiv 2206.01718):
[{"question_id", "image_id", "question", "choices": [4 texts], "correct_choice_idx", "direct_answers": [10 texts],
"difficult_direct_answer", "rationales"}]. The picture of image 42 is 000000000042.jpg, in whatever folder. The file is
held in memory, as Python objects about five times its size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.annotations.vqa import image_names
from embodio.model.tasks.base.family import Family

_SCHEMA = "a list of questions of A-OKVQA"
_ROW = "question_id, image_id, question, and choices or direct_answers"


def read_aokvqa(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The questions of a file, with their choices (`multiple_choice`) or their free answers (`answer_question`).

    Questions that are marked as too difficult for a free answer, and those of the test split, are left out and counted.

    Raises:
        AnnotationError: the file is not one of A-OKVQA.
    """
    content = parsed_file(file, list, _SCHEMA)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    for number, row in enumerate(content):
        with expecting(f"{file}, question number {number}", _ROW):
            key, name = row["question_id"], index.find(*image_names(int(row["image_id"]), "val2017"))
            place, values = f"question {key}", _values(row, family.name)
        if name is None:
            found.leave_out("a picture that is not in the media folder", place)
        elif values is None:
            found.leave_out("a question without an answer of this kind", place)
        else:
            found.add(key, name, {"image": name, "question": str(row["question"]).strip()} | values, place)
    return found.done()


def _values(row: Mapping[str, Any], family: str) -> dict[str, Any] | None:
    if family == "multiple_choice":
        if row.get("correct_choice_idx") is None:
            return None
        return {"options": [str(one) for one in row["choices"]], "chosen": int(row["correct_choice_idx"])}
    answers = [text for one in row.get("direct_answers") or () if (text := str(one).strip())]
    if not answers or row.get("difficult_direct_answer"):
        return None
    return {"text": Counter(answers).most_common(1)[0][0], "references": answers}


READ = read_aokvqa
FAMILIES = ("answer_question", "multiple_choice")
