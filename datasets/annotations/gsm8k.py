"""GSM8K with its explanations: sums told in words, the way to the result, and the result.

Reads `train.jsonl`, `test.jsonl` and `train_socratic.jsonl` (github.com/openai/grade-school-math, "Dataset Details"),
also as Parquet: rows with `question` and `answer`, whose last line is the result after "####". What a calculator is
told, <<48/2=24>>, is taken out of the steps. Rows are read when they are needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import AnnotatedItem, expecting, require_distinct
from embodio.datasets.annotations.parts.rows import RowItems, open_rows
from embodio.model.tasks.base.family import Family

_RESULT = "####"
_CALCULATION = re.compile(r"<<[^<>]*>>")
_SCHEMA = f"a question, and an answer that ends with {_RESULT} and the result"


def read_gsm8k(file: Path, folder: Path, family: Family[Any]) -> Sequence[AnnotatedItem]:
    """The sums of a file.

    Args:
        file: the table.
        folder: not used, as there are no media.
        family: `reason`.

    Raises:
        AnnotationError: it has no such columns; of a row without a result, when its item is made.
    """
    rows = open_rows(file)
    if len(rows):
        with expecting(f"{file}, {rows.place(0)}", _SCHEMA):
            _values(rows.row(0))
    found = RowItems(file, folder, family, rows, _values, _SCHEMA)
    require_distinct(found[:1], file)
    return found


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    steps, told, result = str(row["answer"]).rpartition(_RESULT)
    if not told:
        raise ValueError(f"the answer has no {_RESULT}")
    return {
        "question": str(row["question"]).strip(),
        "steps": _CALCULATION.sub("", steps).strip(),
        "text": result.strip(),
    }


READ = read_gsm8k
FAMILIES = ("reason",)
