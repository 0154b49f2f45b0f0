"""embodio-evaluate: suites, figures and pages of any object with `run`, resumption, and networks of this package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from embodio.benchmarks.errors import BenchmarkError, ResultsError
from embodio.benchmarks.evaluation.evaluate import EvaluateConfig, main
from embodio.benchmarks.evaluation.evaluation import evaluate
from embodio.benchmarks.evaluation.suite import SHIPPED, read_suite
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
    """Answers questions with "cup", or not readably where that is not asked of it, and places with two boxes."""

    def __init__(self, breaks_after: int | None = None) -> None:
        self.asked: list[Any] = []
        self._breaks_after = breaks_after

    def run(self, family: str, asked: Sequence[Any], *, seeds: Sequence[int], **how: Any) -> list[Any]:
        if self._breaks_after is not None and len(self.asked) >= self._breaks_after:
            raise KeyboardInterrupt
        self.asked += asked
        if family == "localise":
            assert how == {"threshold": 0.3}
            boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9]], dtype=np.float32)
            return [replace(one, boxes=boxes, labels=(one.name,) * 2) for one in asked]
        return [AnswerError("silence", "") if "why" in one.question else replace(one, text="cup") for one in asked]


def known() -> Known:
    return Known()


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encode_image(small.image(number), "png"))
    questions = [
        {"image": f"{row // 2}.png", "question": "why?" if row == 5 else "what?", "text": "mug" if row == 4 else "cup"}
        for row in range(6)
    ]
    places = [{"image": "0.png", "name": "cup", "boxes": [[0, 0, 10, 10]], "labels": ["cup"]}]
    for name, rows in (("questions", questions), ("places", places)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "mine.yaml").write_text(SUITE)
    return tmp_path / "mine.yaml"


def config(suite: Path, **changes: Any) -> EvaluateConfig:
    values = {"suite": str(suite), "model": "known", "out": suite.parent / "out", "batch": 2, "resamples": 50}
    return EvaluateConfig(**(values | changes))


def quiet() -> Console:
    return Console(file=StringIO(), width=160)


def test_figures_of_any_object_with_run(suite: Path) -> None:
    runner, console = Known(), quiet()
    found = evaluate(config(suite, examples=2), runner, console)
    questions, places = found["questions"]["exact_match"], found["places"]["grit_localisation"]
    assert questions.estimates["exact_match"].value == pytest.approx(4 / 6)
    assert (questions.items, questions.clusters, questions.unreadable) == (6, 3, 1)
    assert places.estimates["grit_localisation"].value == 1.0  # the overlapping box is dropped
    assert all(getattr(one, "text", None) is None for one in runner.asked), "the answer is hidden"
    written = json.loads((suite.parent / "out" / "results.json").read_text())
    assert written["tasks"]["questions"]["metrics"]["exact_match"]["exact_match"]["value"] == pytest.approx(4 / 6)
    page = (suite.parent / "out" / "report.html").read_text()
    assert "Worst" in page and "Drawn at random" in page and "silence" in page and "data:image/png" in page
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "vqa_accuracy ↑" in shown and "unreadable" in shown


def test_an_interrupted_run_resumes_to_the_same_figures(suite: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        evaluate(config(suite, tasks=("questions",)), Known(breaks_after=4), quiet())
    with (suite.parent / "out" / "answers" / "questions.jsonl").open("a") as file:
        file.write('{"key": "5", "gro')  # a line cut off by a crash
    runner = Known()
    resumed = evaluate(config(suite, tasks=("questions",), examples=0), runner, quiet())
    assert len(runner.asked) == 2
    whole = evaluate(config(suite, tasks=("questions",), out=suite.parent / "other"), Known(), quiet())
    assert resumed == whole
    evaluate(config(suite, tasks=("questions",), restart=True, examples=0), again := Known(), quiet())
    assert len(again.asked) == 6


def test_another_evaluation_is_refused(suite: Path) -> None:
    evaluate(config(suite), Known(), quiet())
    with pytest.raises(ResultsError, match="model was 'known' and is 'other'"):
        evaluate(config(suite, model="other"), Known(), quiet())


def test_a_network_is_evaluated(suite: Path) -> None:
    found = evaluate(config(suite, limit=2, examples=1), small.runner(), quiet())
    assert found["questions"]["vqa_accuracy"].items == 2 and found["places"]["box_ap"].items == 1


def test_the_command(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"suite={suite}", f"out={suite.parent / 'cli'}", "resamples=20", "tasks=[places]"]
    assert main([*arguments, f"model={__name__}:known"]) == 0
    assert "grit_localisation" in capsys.readouterr().err
    for wrong, message in (("json:nothing", "can be imported"), ("collections:Counter", "has no run")):
        assert main([*arguments, f"model={wrong}", f"out={suite.parent / wrong[:4]}"]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: {}", "at least one task"),
        ("tasks: [", "not YAML"),
        ("tasks: {a: {family: refer}}", r"tasks\.a: expected family, file"),
        ("tasks: {a: {family: refer, file: x, metrics: [wer]}}", r"tasks\.a: wer reads \['text'\], which refer lacks"),
        ("tasks: {a: {family: cuboids, file: x}}", "cuboids has no metric"),
    ],
)
def test_mistakes_in_a_suite_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(BenchmarkError, match=message):
        read_suite(str(tmp_path / "mine.yaml"))


def test_shipped_suites_can_be_read() -> None:
    for path in SHIPPED.glob("*.yaml"):
        assert read_suite(path.stem)[1]
    with pytest.raises(BenchmarkError, match="there are grit"):
        read_suite("none")
