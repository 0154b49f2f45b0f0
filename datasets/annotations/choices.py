"""Multiple-choice questions as rows of a table: ARC, OpenBookQA, MMLU, HellaSwag, RACE, ScienceQA, SEED-Bench, ...

JSON lines, JSON, CSV, Parquet or Arrow, a file or a folder of several. A row has a question, options and the answer, in
the columns of one of these:

    question {"stem", "choices": [{"text", "label"}]}, answerKey        ARC and CommonsenseQA as published
    question or question_stem, choices {"text", "label"}, answerKey     the same, OpenBookQA, as Parquet
    question, choices [texts], answer (a number from 0)                 MMLU; ScienceQA with hint and image
    question, options [texts], answer (a letter or a number)            RACE with article; MMLU-Pro
    ctx, endings [texts], label                                         HellaSwag
    goal, sol1, sol2, label                                             PIQA
    sentence, option1, option2, answer ("1" or "2")                     WinoGrande
    question, correct_answer, distractor1, distractor2, distractor3     SciQ; the options are sorted
    question, passage, answer (true or false)                           BoolQ; the options are yes and no
    question, choice_a to choice_d, answer (a letter), data_id          SEED-Bench; data_id is the picture
    question, A to D, answer (a letter), image                          MMBench as Parquet, with hint

A passage, an article, a hint or support is written before the question. Rows are read when they are needed, at random;
a JSON list is held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItem, expecting, require_distinct
from embodio.datasets.annotations.parts.rows import RowItems, one_of, open_rows
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.families.multiple_choice import LETTERS

_QUESTIONS = ("question", "question_stem", "ctx", "goal", "sentence")
_BEFORE = ("passage", "article", "hint", "support")
_NONE = (None, "", "nan")
_COLUMNS = (
    ("sol1", "sol2"),
    ("option1", "option2"),
    tuple(f"choice_{letter}" for letter in "abcdef"),
    tuple("ABCDEF"),
)
_SCHEMA = "a question, its options and the answer"


def read_choices(file: Path, folder: Path, family: Family[Any]) -> Sequence[AnnotatedItem]:
    """The questions of a file.

    Raises:
        AnnotationError: the rows have other columns; of a single row, when its item is made.
    """
    rows = open_rows(file)
    if len(rows):
        with expecting(f"{file}, {rows.place(0)}", _SCHEMA):
            choice_values(rows.row(0))
    found = RowItems(file, folder, family, rows, choice_values, _SCHEMA)
    require_distinct(found[:1], file)
    return found


def choice_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a question; raises ValueError, KeyError or TypeError for a row of another kind."""
    asked = one_of(row, *_QUESTIONS)
    question = str(asked["stem"] if isinstance(asked, Mapping) else asked).strip()
    options, labels = _options(row, asked)
    before = [str(row[name]).strip() for name in _BEFORE if row.get(name) not in _NONE]
    image = row.get("image") or (row.get("data_id") if row.get("data_type", "image") == "image" else None)
    values = {"question": "\n".join([*before, question]), "options": options}
    return values | {"chosen": _chosen(row, options, labels)} | ({"image": image} if image else {})


def _options(row: Mapping[str, Any], asked: Any) -> tuple[list[str], list[str]]:
    """The options, and their labels where they have some."""
    given = (
        asked["choices"] if isinstance(asked, Mapping) else row.get("choices", row.get("options", row.get("endings")))
    )
    if isinstance(given, Mapping):
        return [str(one) for one in given["text"]], [str(one) for one in given["label"]]
    if given and isinstance(given[0], Mapping):
        return [str(one["text"]) for one in given], [str(one["label"]) for one in given]
    if given:
        return [str(one) for one in given], []
    if "correct_answer" in row:
        wrong = [str(row[name]) for name in row if name.startswith("distractor")]
        return sorted([str(row["correct_answer"]), *wrong]), []
    if isinstance(row.get("answer"), bool) and "passage" in row:
        return ["yes", "no"], []
    for columns in _COLUMNS:
        found = [str(row[name]).strip() for name in columns if row.get(name) not in _NONE]
        if found:
            return found, ["1", "2"] if columns[0] == "option1" else []
    raise KeyError("options")


def _chosen(row: Mapping[str, Any], options: Sequence[str], labels: Sequence[str]) -> int:
    """The number of the right option, from 0 on."""
    if "correct_answer" in row:
        return options.index(str(row["correct_answer"]))
    answer = row["answerKey"] if "answerKey" in row else row["answer"] if "answer" in row else row["label"]
    if isinstance(answer, bool):
        return 0 if answer else 1
    word = str(answer).strip()
    if labels:
        return list(labels).index(word)
    number = int(word) if word.lstrip("-").isdigit() else LETTERS.index(word.upper()) if len(word) == 1 else -1
    if not 0 <= number < len(options):
        raise ValueError(f"the answer {answer!r} is none of {len(options)} options")
    return number


READ = read_choices
FAMILIES = ("multiple_choice",)
