"""embodio-evaluate: suites, figures and pages of any object with `run`, resumption, and networks of this package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodio.benchmarks.errors import BenchmarkError, ComparisonError, ResultsError
from embodio.benchmarks.evaluation.comparison.comparison import compare, read_evaluated
from embodio.benchmarks.evaluation.evaluate import main
from embodio.benchmarks.evaluation.evaluation import evaluate
from embodio.benchmarks.evaluation.suite import SHIPPED, read_suite
from embodio.benchmarks.statistics.verdicts import Rule, Verdict
from embodio.datasets.metrics.parts.metric import MetricError
from tests.support.benchmarks.evaluations import Known, known, mean_colour, quiet, write_suite
from tests.support.benchmarks.evaluations import evaluate_config as config
from tests.support.model import small


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path)


def test_figures_of_any_object_with_run(suite: Path) -> None:
    runner, console = Known(), quiet()
    found = evaluate(config(suite, examples=2), runner, console)
    questions, places = found["questions"].metrics["exact_match"], found["places"].metrics["grit_localisation"]
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
    (suite.parent / "questions.jsonl").write_text('{"image": "0.png", "question": "what?", "text": "mug"}')
    with pytest.raises(ResultsError, match="questions: file_sha256 was"):
        evaluate(config(suite), Known(), quiet())


def test_items_whose_media_are_missing_are_counted_and_tried_again(suite: Path) -> None:
    picture = suite.parent / "1.png"
    kept = picture.read_bytes()
    picture.unlink()
    found = evaluate(config(suite, tasks=("questions",), examples=1), Known(), console := quiet())["questions"]
    assert (found.metrics["exact_match"].items, len(found.missing)) == (4, 2)
    assert "2 items could not be asked; the first one:" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "could not be asked" in (suite.parent / "out" / "report.html").read_text()
    assert json.loads((suite.parent / "out" / "results.json").read_text())["tasks"]["questions"]["missing"] == 2
    picture.write_bytes(kept)
    again = evaluate(config(suite, tasks=("questions",), examples=0), runner := Known(), quiet())["questions"]
    assert (again.metrics["exact_match"].items, again.missing, len(runner.asked)) == (6, (), 2)
    for name in ("0.png", "1.png", "2.png"):
        (suite.parent / name).unlink()
    with pytest.raises(MetricError, match="questions: not one of 6 items could be asked"):
        evaluate(config(suite, tasks=("questions",), restart=True), Known(), quiet())


def test_a_network_is_evaluated(suite: Path) -> None:
    found = evaluate(config(suite, limit=2, examples=1), small.runner(), quiet())
    assert found["questions"].metrics["vqa_accuracy"].items == 2 and found["places"].metrics["box_ap"].items == 1


def test_the_command(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [f"suite={suite}", f"out={suite.parent / 'cli'}", "resamples=20", "tasks=[places]"]
    assert main([*arguments, f"model={known.__module__}:known"]) == 0
    assert "grit_localisation" in capsys.readouterr().err
    for wrong, message in (("json:nothing", "can be imported"), ("collections:Counter", "has no run")):
        assert main([*arguments, f"model={wrong}", f"out={suite.parent / wrong[:4]}"]) == 1
        assert message in capsys.readouterr().err


def test_sets_of_pictures_are_compared_by_a_network_of_the_user(suite: Path) -> None:
    own = suite.parent / "drawn.yaml"
    own.write_text("tasks: {drawn: {family: draw, file: drawn.jsonl, metrics: [picture_distance]}}")
    rows = [{"text": "a picture", "drawn": f"{number}.png"} for number in range(3)]
    (suite.parent / "drawn.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    embed = f"{mean_colour.__module__}:mean_colour"
    folders = [suite.parent / name for name in ("with", "again", "other")]
    found = evaluate(config(own, embed=embed, out=folders[0]), Known(), quiet())
    distance = found["drawn"].metrics["picture_distance"].estimates["frechet_distance"]
    assert distance.value > 100 and distance.low is None
    with pytest.raises(BenchmarkError, match="picture_distance of the task drawn needs a network"):
        evaluate(config(own, out=folders[1]), Known(), quiet())
    with pytest.raises(BenchmarkError, match="embed: 'json:nothing'"):
        evaluate(config(own, embed="json:nothing", out=folders[1]), Known(), quiet())
    evaluate(config(own, embed=embed, out=folders[1]), Known(), quiet())
    rows_of = compare(*(read_evaluated(folder) for folder in folders[:2]), Rule(), draws=50).rows
    assert rows_of[0].found.test == "none" and rows_of[0].verdict == Verdict("cannot tell")
    evaluate(config(own, embed="numpy:max", out=folders[2]), Known(), quiet())
    with pytest.raises(ComparisonError, match="drawn: embed is"):
        compare(*(read_evaluated(folder) for folder in folders[::2]), Rule())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: {}", "at least one task"),
        ("tasks: [", "not YAML"),
        ("tasks: {a: {family: refer}}", r"tasks\.a: expected family, file"),
        ("tasks: {a: {family: refer, file: x, metrics: [wer]}}", r"tasks\.a: wer reads \['text'\], which refer lacks"),
        ("tasks: {a: {family: refer, file: x, figure: wer}}", "no figure 'wer'; there are .'accuracy_50'"),
        ("tasks: {a: {family: refer, file: x}}\nparts: [a]", "expected the keys tasks and perhaps balanced"),
    ],
)
def test_mistakes_in_a_suite_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(BenchmarkError, match=message):
        read_suite(str(tmp_path / "mine.yaml"))


def test_shipped_suites_can_be_read() -> None:
    for path in SHIPPED.glob("*.yaml"):
        assert read_suite(path.stem).tasks
    with pytest.raises(BenchmarkError, match="there are grit"):
        read_suite("none")
