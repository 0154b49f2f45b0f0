"""Answers of an evaluation: one line of JSON for each item with its measures, so that an interrupted run resumes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.tally import Tally
from embodio.model.writing import append

ANSWERS = "answers"


@dataclass(frozen=True)
class AnsweredItem:
    """What was measured on one item.

    Attributes:
        key: of the item.
        group: of the item.
        digest: of the item.
        measures: metric -> its measure.
        unreadable: why the answer could not be read; empty if it could.
        parts: of the item.
        missing: why it was not asked, such as a picture that is not there; empty if it was.
    """

    key: str
    group: str
    digest: str
    measures: dict[str, Any]
    unreadable: str = ""
    parts: Sequence[str] = ()
    missing: str = ""


def answers_file(folder: Path, task: str) -> Path:
    """The file of the answers of one task in the folder of an evaluation."""
    return folder / ANSWERS / f"{task}.jsonl"


def read_answers(path: Path) -> dict[str, AnsweredItem]:
    """Key -> item of a file of answers; the last line is skipped if it is half-written."""
    found: dict[str, AnsweredItem] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        try:
            item = AnsweredItem(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found[item.key] = item
    return found


def add_answers(path: Path, items: Sequence[AnsweredItem]) -> None:
    """Appends items to a file of answers, which is made if missing; a half-written line is ended first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = "\n" if path.exists() and _last_byte(path) not in (b"\n", b"") else ""
    append(path, (cut + "".join(f"{json.dumps(asdict(item))}\n" for item in items)).encode())


def _last_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1))
        return file.read(1)


def tallies(metrics: Sequence[str], answered: Sequence[AnsweredItem]) -> dict[str, Tally[Any]]:
    """Metric -> the tally of items."""
    found: dict[str, Tally[Any]] = {name: Tally(named_metric(name)) for name in metrics}
    for item in answered:
        for name, tally in found.items():
            tally.add(item.measures[name], group=item.group, unreadable=bool(item.unreadable))
    return found
