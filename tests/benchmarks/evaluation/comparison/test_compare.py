"""`embodio-evaluate compare`: pairs by item, counts by hand, what is refused, the table and the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embodio.benchmarks.comparing.page import COMPARISON, PAGE
from embodio.benchmarks.errors import ComparisonError
from embodio.benchmarks.evaluation.comparison.comparison import ModelComparison, compare, read_evaluated
from embodio.benchmarks.evaluation.evaluate import main
from embodio.benchmarks.evaluation.evaluation import evaluate
from embodio.benchmarks.statistics.paired import PairedTable
from embodio.benchmarks.statistics.verdicts import Rule, Verdict
from tests.support.benchmarks.evaluations import Known, evaluate_config, quiet, write_suite

ALONE = """
# embodio-evaluate suite=words.yaml
tasks:
  words: {family: answer_question, file: words.jsonl, metrics: [exact_match, rouge_l]}
"""


def words(folder: Path, count: int = 12) -> Path:
    """A suite of independent questions, whose answers are "cup", the last one not readable."""
    rows = [
        {"key": f"q{row}", "question": "why?" if row == count - 1 else "what?", "text": "cup"} for row in range(count)
    ]
    (folder / "words.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "words.yaml").write_text(ALONE)
    return folder / "words.yaml"


def answered(suite: Path, model: str, word: str = "cup", **changes: Any) -> Path:
    out = suite.parent / model
    evaluate(evaluate_config(suite, model=model, out=out, examples=0, **changes), Known(word=word), quiet())
    return out


def of(a: Path, b: Path, **how: Any) -> ModelComparison:
    return compare(read_evaluated(a), read_evaluated(b), Rule(), draws=200, **how)


def test_a_table_by_hand(tmp_path: Path) -> None:
    """A is right in 11 of 12 questions, B in none; the answer to the last one cannot be read of either."""
    suite = words(tmp_path)
    good, bad = answered(suite, "good"), answered(suite, "bad", "mug")
    main_row, other = of(good, bad).rows
    assert (main_row.found.figure, main_row.found.table) == ("exact_match", PairedTable(0, 11, 0, 1))
    assert (main_row.found.a, main_row.found.b) == (11 / 12, 0.0)
    assert main_row.found.p_value == main_row.p_corrected == 2 / 2**11
    assert main_row.verdict == Verdict("better") and main_row.unreadable == (1, 1)
    assert other.found.figure == "rouge_l" and other.verdict is None and other.p_corrected is None
    assert [row.p_corrected for row in of(good, bad, judge="all").rows] == [4 / 2**11] * 2
    assert of(bad, good).rows[0].verdict == Verdict("worse")


def test_items_about_one_image_are_one_cluster_and_tasks_are_pooled(tmp_path: Path) -> None:
    """Of the pictures, A answers two, two and no question as wished; B none, none and one."""
    suite = write_suite(tmp_path)
    comparison = of(answered(suite, "cups"), answered(suite, "mugs", "mug"))
    assert [(row.task, row.found.figure) for row in comparison.rows] == [
        ("questions", "vqa_accuracy"), ("questions", "grit_vqa"), ("questions", "exact_match"),
        ("places", "grit_localisation"), ("places", "ap"), ("places", "ap_50"), ("places", "ap_75"),
    ]  # fmt: skip
    questions = comparison.rows[2].found
    assert (questions.a, questions.b, questions.clusters) == (4 / 6, 1 / 6, 3)
    assert (questions.test, questions.p_value) == ("exact randomisation", 4 / 8), "2 + 2 - 1 or more of all 8 exchanges"
    assert comparison.pooled is not None
    assert comparison.pooled.found.difference == pytest.approx((comparison.rows[0].found.difference + 0) / 2)
    assert comparison.rows[4].found.interval is None, "one place has no interval"
    assert comparison.rows[3].verdict == Verdict("cannot tell", 95)


def test_other_suites_and_items_are_refused(tmp_path: Path) -> None:
    suite = words(tmp_path)
    good = answered(suite, "good")
    suite.write_text(ALONE.replace("exact_match, ", ""))
    with pytest.raises(ComparisonError, match=r"words: metrics is .*'exact_match', 'rouge_l'.* different suites"):
        of(good, answered(suite, "other"))
    suite.write_text(ALONE)
    file = tmp_path / "words.jsonl"
    file.write_text(file.read_text().replace('"q3", "question": "what?"', '"q3", "question": "which?"'))
    with pytest.raises(ComparisonError, match=r"words: item 'q3' in .* is another one"):
        of(good, answered(suite, "edited"))
    with pytest.raises(ComparisonError, match="holds no evaluation"):
        read_evaluated(tmp_path)
    answered(suite, "part", shard="1/2")
    with pytest.raises(ComparisonError, match="is shard 1/2 of an evaluation; merge"):
        read_evaluated(tmp_path / "part" / "shards" / "1-of-2")


def test_a_changed_picture_is_another_item(tmp_path: Path) -> None:
    suite = write_suite(tmp_path)
    before = answered(suite, "before")
    (tmp_path / "1.png").write_bytes((tmp_path / "0.png").read_bytes())
    with pytest.raises(ComparisonError, match=r"questions: item '3' in .* is another one"):
        of(before, answered(suite, "after"))


def test_what_only_one_has_is_left_out_and_counted(tmp_path: Path) -> None:
    suite = write_suite(tmp_path)
    comparison = of(answered(suite, "all"), answered(suite, "some", "mug", limit=4, tasks=("questions",)))
    assert comparison.only == (["places"], []) and comparison.pooled is None
    assert {(row.found.items, row.alone) for row in comparison.rows} == {(4, (2, 0))}
    with pytest.raises(ComparisonError, match="A has places with 1 items; B has questions with 4 items"):
        of(answered(suite, "places", tasks=("places",)), tmp_path / "some")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    suite = words(tmp_path)
    places = [str(answered(suite, name, word)) for name, word in (("<good>", "cup"), ("bad", "mug"))]
    assert main(["compare", *places, f"out={tmp_path / 'out'}", "draws=100"]) == 0
    shown = capsys.readouterr()
    assert "A is better" in shown.out and "1, 1" in shown.out and "0.0010" in shown.out and "exact_match ↑" in shown.out
    assert "comparison.html" in shown.err
    data = json.loads((tmp_path / "out" / COMPARISON).read_text())
    assert data["rows"][0]["table"] == {"both": 0, "only_a": 11, "only_b": 0, "neither": 1}
    assert data["rows"][0]["verdict"] == {"word": "better", "more": None} and data["rows"][1]["verdict"] is None
    page = (tmp_path / "out" / PAGE).read_text()
    assert "&lt;good&gt;" in page and "<good>" not in page and "A is better" in page and "<svg" in page
    assert "embodio-evaluate compare" in page and "judge=main" in page
    assert main(["compare", places[0]]) == 2 and "'b' must be given" in capsys.readouterr().err
    assert main(["compare", *places, "alpha=1.0"]) == 2 and "alpha" in capsys.readouterr().err
    assert main(["compare", places[0], str(tmp_path)]) == 1 and "holds no evaluation" in capsys.readouterr().err
