"""A suite with questions and places, and models that answer it in known ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from embodio.benchmarks.evaluation.evaluate import EvaluateConfig
from embodio.datasets.codecs.image_codec import encode_image
from embodio.model.tasks.errors import AnswerError
from tests.support.model import small

SUITE = """
# embodio-evaluate suite=mine.yaml
tasks:
  questions: {family: answer_question, file: questions.jsonl, metrics: [vqa_accuracy, exact_match]}
  places: {family: localise, file: places.jsonl, overlap: 0.5, options: {threshold: 0.3}}
"""


class Known:
    """Answers questions with a word, or not readably where that is not asked of it, and places with two boxes."""

    def __init__(self, breaks_after: int | None = None, word: str = "cup") -> None:
        self.asked: list[Any] = []
        self._breaks_after, self._word = breaks_after, word

    def run(self, family: str, asked: Sequence[Any], *, seeds: Sequence[int], **how: Any) -> list[Any]:
        if self._breaks_after is not None and len(self.asked) >= self._breaks_after:
            raise KeyboardInterrupt
        self.asked += asked
        if family == "localise":
            if how != {"threshold": 0.3}:
                raise ValueError(how)
            boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9]], dtype=np.float32)
            return [replace(one, boxes=boxes, labels=(one.name,) * 2) for one in asked]
        unreadable = AnswerError("silence", "")
        return [unreadable if "why" in one.question else replace(one, text=self._word) for one in asked]


def known() -> Known:
    """A model for `model=module:function`."""
    return Known()


def write_suite(folder: Path) -> Path:
    """Six questions about three pictures, of which two are about one, and a place; returns the suite."""
    for number in range(3):
        (folder / f"{number}.png").write_bytes(encode_image(small.image(number), "png"))
    questions = [
        {"image": f"{row // 2}.png", "question": "why?" if row == 5 else "what?", "text": "mug" if row == 4 else "cup"}
        for row in range(6)
    ]
    places = [{"image": "0.png", "name": "cup", "boxes": [[0, 0, 10, 10]], "labels": ["cup"]}]
    for name, rows in (("questions", questions), ("places", places)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "mine.yaml").write_text(SUITE)
    return folder / "mine.yaml"


def evaluate_config(suite: Path, **changes: Any) -> EvaluateConfig:
    """Settings that are quick, with the results next to the suite."""
    values = {"suite": str(suite), "model": "known", "out": suite.parent / "out", "batch": 2, "resamples": 50}
    return EvaluateConfig(**(values | changes))


def quiet() -> Console:
    """A console that nobody sees."""
    return Console(file=StringIO(), width=160)
