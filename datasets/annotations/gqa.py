"""GQA: questions about pictures of Visual Genome, a JSON object of questions by their id.

Reads `train_balanced_questions.json` and its like (cs.stanford.edu/people/dorarad/gqa, version 1.2; Hudson and Manning,
arXiv 1902.09506): {"02930152": {"imageId", "question", "answer", "fullAnswer", "isBalanced", "types", ...}}. The
picture is imageId.jpg, in whatever folder. The file is held in memory, as Python objects about five times its size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItems, expecting, parsed_file
from embodio.datasets.annotations.parts.item_list import ItemList
from embodio.datasets.annotations.parts.media import MediaIndex
from embodio.model.tasks.base.family import Family

_SCHEMA = "an object of questions with imageId, question and answer"


def read_gqa(file: Path, folder: Path, family: Family[Any]) -> AnnotatedItems:
    """The questions of a file; the text is the short answer, the only reference.

    Raises:
        AnnotationError: the file is not one of GQA.
    """
    content = parsed_file(file, dict, _SCHEMA)
    found, index = ItemList(file, folder, family), MediaIndex(folder, "image")
    for key, row in content.items():
        place = f"question {key}"
        with expecting(f"{file}, {place}", _SCHEMA):
            question, answer = str(row["question"]).strip(), str(row["answer"]).strip()
            name = index.find(str(row["imageId"]))
        if not question or not answer:
            found.leave_out("an empty question or answer", place)
        elif name is None:
            found.leave_out("a picture that is not in the media folder", place)
        else:
            found.add(key, name, {"image": name, "question": question, "text": answer}, place)
    return found.done()


READ = read_gqa
FAMILIES = ("answer_question",)
