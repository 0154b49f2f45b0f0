"""The suite of the network runs in small, and reports every figure that is asked of it."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from embodio.benchmarks.speed import main as command
from embodio.benchmarks.speed.suites.model import fastest


def test_suite(tmp_path: Path) -> None:
    assert command.main(["suite=model", "quick=true", "repeats=1", f"out={tmp_path}"]) == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())["rows"]}
    goals = {name: row["goal"] for name, row in rows.items() if row["goal"]}
    assert goals == {
        "encode 640 tokens, float32": ">= 1.8",
        "encode 640 tokens, int8": ">= 4",
        "decode a token, float32": ">= 6",
        "decode a token, float32, floor": "<= 1.3",
        "decode a token, int8": ">= 15",
        "build, load: memory added": "<= 1.1",
        "build, load, prepare: memory added": "<= 1.1",
    }
    assert all(row["value"] > 0 for row in rows.values())
    for modality in ("text", "image", "audio"):
        for which in ("random weights", "golden network"):
            assert 0.01 < rows[f"error of int8, {modality} logits, {which}"]["value"] < 10


def test_fastest_takes_turns() -> None:
    order: list[str] = []
    work = {"a": lambda: order.append("a"), "b": lambda: torch.randn(400, 400) @ torch.randn(400, 400)}
    times = fastest(work, repeats=3, threads=1)
    assert order == ["a"] * 3
    assert times["a"] < times["b"]
