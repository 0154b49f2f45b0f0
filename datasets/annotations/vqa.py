"""VQA: questions and answers of annotators about pictures of COCO, a file of each.

Reads VQA v1 and v2 (visualqa.org/download), and OK-VQA and TDIUC, which are in its format. The file of annotations is
given, the one of questions is next to it: `v2_mscoco_val2014_annotations.json` and
`v2_OpenEnded_mscoco_val2014_questions.json`:

    annotations  {"data_subtype", "annotations": [{"question_id", "image_id", "question_type", "answer_type",
                 "multiple_choice_answer", "answers": [{"answer", "answer_confidence", "answer_id"}, ...]}]}
    questions    {"data_subtype", "questions": [{"question_id", "image_id", "question"}]}

The picture of image 42 of val2014 is COCO_val2014_000000000042.jpg, with or without its first two parts. Both files are
held in memory, as Python objects about five times their size.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.datasets.errors import AnnotationError
from embodio.model.tasks.base.family import Family

_SCHEMA = "an object of VQA with a list of annotations"
_QUESTIONS = "an object of VQA with a list of questions"


def read_vqa(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The questions of a pair of files; the text is the answer given most often, the references are all answers.

    Raises:
        AnnotationError: the files are not of VQA, or the one of questions is not there.
    """
    content, asked = parsed_file(file, dict, _SCHEMA), parsed_file(_questions_of(file), dict, _QUESTIONS)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    with expecting(file, _SCHEMA):
        rows, subtype = content["annotations"], str(content.get("data_subtype", ""))
    with expecting(_questions_of(file), _QUESTIONS):
        questions = {row["question_id"]: str(row["question"]).strip() for row in asked["questions"]}
    for number, row in enumerate(rows):
        with expecting(f"{file}, number {number} of the annotations", "question_id, image_id and answers"):
            key, image = row["question_id"], int(row["image_id"])
            answers = [text for one in row["answers"] if (text := str(one["answer"]).strip())]
            place, name = f"question {key}", index.find(*image_names(image, subtype))
        if not questions.get(key):
            found.leave_out("a question_id without a question", place)
        elif not answers:
            found.leave_out("a question without an answer", place)
        elif name is None:
            found.leave_out("a picture that is not in the media folder", f"image {image}, {place}")
        else:
            best = str(row.get("multiple_choice_answer") or "").strip() or Counter(answers).most_common(1)[0][0]
            values = {"image": name, "question": questions[key], "text": best, "references": answers}
            found.add(key, name, values, place)
    return found.done()


def image_names(key: int, subtype: str) -> list[str]:
    """The names that a picture of COCO may have, without the ending."""
    return [f"COCO_{subtype}_{key:012d}", f"{key:012d}", str(key)]


def _questions_of(file: Path) -> Path:
    """The file of questions that belongs to one of annotations; raises AnnotationError if it is not there."""
    name = file.name.replace("annotations", "questions")
    tried = dict.fromkeys([name.replace("mscoco", "OpenEnded_mscoco"), name])
    for one in tried:
        if one != file.name and file.with_name(one).is_file():
            return file.with_name(one)
    raise AnnotationError(
        f"{file}: the questions are not next to it; expected {' or '.join(tried)}, and a name with annotations in it"
    )


READ = read_vqa
FAMILIES = ("answer_question",)
