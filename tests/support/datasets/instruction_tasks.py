"""A small catalogue of tasks: questions and references about drawn pictures, words, and one without files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

ROW: dict[str, Any] = {
    "title": "a task",
    "format": "jsonl",
    "origin": "https://example.org",
    "licence": "CC0",
    "split": "train",
    "source": ["made for a test"],
}


def write_instruction_tasks(folder: Path, items: int = 100) -> Path:
    """Writes data below `folder`/data and rows below `folder`/catalogue; returns the folder of the rows.

    The categories are `words`, share 40: `sentences`, as in pre-training, and `pictures`, share 60: `questions` with
    `items` items, `references` with a quarter of them, and `lost`, which has no
    files.
    """
    data = folder / "data"
    (data / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(0)
    asked, meant = [], []
    for number in range(items):
        name = f"{number % 10}.png"
        Image.fromarray(rng.integers(0, 255, (32, 40, 3)).astype(np.uint8)).save(data / "pictures" / name)
        asked.append({"key": str(number), "image": name, "question": f"which number is it, {number}?", "text": "two"})
        meant.append({"key": str(number), "image": name, "expression": "the red cup", "box": [2, 3, 20, 30]})
    _write(data / "questions.jsonl", asked)
    _write(data / "references.jsonl", meant[: items // 4])
    (data / "words").mkdir()
    _write(data / "words" / "a.jsonl", [{"text": f"sentence {number} of some words"} for number in range(2000)])
    rows = folder / "catalogue"
    rows.mkdir()
    question = {"family": "answer_question", "prompts": "plain", "media": "pictures", "size": None}
    reference = {"family": "refer", "prompts": "plain", "media": "pictures", "size": None}
    pictures = {
        "questions": ROW | question | {"path": "questions.jsonl"},
        "references": ROW | reference | {"path": "references.jsonl"},
        "lost": ROW | question | {"path": "lost.jsonl", "size": items},
    }
    words = ROW | {"objectives": {"denoise_text": 1}, "path": "words", "size": None, "kind": "pretraining"}
    _category(rows / "pictures.yaml", 60, pictures)
    _category(rows / "words.yaml", 40, {"sentences": words})
    return rows


def _category(file: Path, share: float, tasks: dict[str, Any]) -> None:
    head = {"title": file.stem, "group": file.stem, "share": share, "inputs": ["text"], "outputs": ["text"]}
    file.write_text(yaml.safe_dump(head | {"tasks": tasks}))


def _write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
