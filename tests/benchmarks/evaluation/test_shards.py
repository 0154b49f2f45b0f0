"""Shards and workers of an evaluation give what one process gives; a missing, unfinished or doubled shard is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from embodio.benchmarks.errors import BenchmarkError, ResultsError
from embodio.benchmarks.evaluation import answerer
from embodio.benchmarks.evaluation.evaluate import main
from embodio.benchmarks.evaluation.evaluation import evaluate
from embodio.benchmarks.evaluation.merging import MergeEvaluationsConfig, merge
from tests.support.benchmarks.evaluations import Known, evaluate_config, known, quiet, write_suite
from tests.support.datasets import far_engine
from tests.support.model import small


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path)


def merged(*folders: Path, out: Path | None = None, runner: Any = None) -> Any:
    return merge(MergeEvaluationsConfig(tuple(map(str, folders)), out, resamples=50), runner or Known(), quiet())


def test_shards_of_a_network_together_are_the_evaluation(suite: Path) -> None:
    whole = evaluate(evaluate_config(suite, out=suite.parent / "whole"), small.runner(), quiet())
    for number in (3, 1, 2):
        evaluate(evaluate_config(suite, shard=f"{number}/3", examples=0), small.runner(), quiet())
    again = merged(suite.parent / "out", runner=small.runner())
    assert again == whole
    results = [json.loads((suite.parent / name / "results.json").read_text()) for name in ("whole", "out")]
    assert results[0] == results[1]
    assert "Worst" in (suite.parent / "out" / "report.html").read_text()


def test_the_command(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        arguments = [f"suite={suite}", f"model={known.__module__}:known", f"out={suite.parent / str(number)}"]
        assert main([*arguments, f"shard={number}/2", "resamples=20"]) == 0
    places = [str(suite.parent / str(number)) for number in (1, 2)]
    assert main(["merge", *places]) == 2 and "out=runs/whole" in capsys.readouterr().err
    whole = ["merge", *places, f"out={suite.parent / 'whole'}", "resamples=20", "examples=1"]
    assert main(whole) == 1 and f"give trust=[{known.__module__}:known]" in capsys.readouterr().err
    assert main([*whole, f"trust=[{known.__module__}:known]"]) == 0
    assert "7 of 7 items are already answered" in capsys.readouterr().err
    assert main([*arguments, "shard=3/2"]) == 2 and "SLURM_ARRAY_TASK_ID" in capsys.readouterr().err


def test_shards_that_do_not_belong_together_are_named(suite: Path) -> None:
    here, there = suite.parent / "out", suite.parent / "there"
    with pytest.raises(ResultsError, match="holds no settings"):
        merged(here)
    evaluate(evaluate_config(suite, shard="1/2", tasks=("questions",)), Known(), quiet())
    with pytest.raises(ResultsError, match="shards are missing: 2/2"):
        merged(here)
    with pytest.raises(KeyboardInterrupt):
        evaluate(evaluate_config(suite, shard="2/2", tasks=("questions",)), Known(breaks_after=2), quiet())
    with pytest.raises(ResultsError, match=r"2-of-2 \(shard 2/2\) lacks 1 of 3 items, such as questions: 6"):
        merged(here)
    evaluate(evaluate_config(suite, shard="2/2", tasks=("questions",), out=there, seed=1), Known(), quiet())
    with pytest.raises(ResultsError, match="another evaluation: seed was 1 and is 0"):
        merged(here / "shards" / "1-of-2", there, out=suite.parent / "whole")
    evaluate(evaluate_config(suite, shard="2/2", tasks=("questions",), limit=4), Known(), quiet())
    with pytest.raises(ResultsError, match="parts of different jobs: limit is 0 and 4"):
        merged(here)
    evaluate(evaluate_config(suite, out=there / "whole"), Known(), quiet())
    with pytest.raises(ResultsError, match="is a whole evaluation"):
        merged(there / "whole")


def test_an_engine_answers_the_same(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answerer, "named_engine", lambda name: far_engine.run)
    model = f"{known.__module__}:known"
    here = evaluate(evaluate_config(suite, model=model, out=suite.parent / "here"), None, quiet())
    there = evaluate(evaluate_config(suite, model=model, engine="far", workers=2), None, quiet())
    assert there == here
    assert evaluate(evaluate_config(suite, model=model), None, quiet()) == here, "it may go on without the engine"


@pytest.mark.slow
def test_a_cluster_answers_the_same(suite: Path) -> None:
    pytest.importorskip("ray")
    model = f"{known.__module__}:known"
    here = evaluate(evaluate_config(suite, model=model, out=suite.parent / "here"), None, quiet())
    assert evaluate(evaluate_config(suite, model=model, engine="ray"), None, quiet()) == here


def test_no_module_is_imported_that_only_the_files_name(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2):
        evaluate(evaluate_config(suite, shard=f"{number}/2", tasks=("questions",)), Known(), quiet())
    (suite.parent / "evil.py").write_text("raise SystemExit('imported')")
    before = suite.read_text()
    suite.write_text(before.replace("family: answer_question", 'family: "evil:FAMILY"', 1))
    assert suite.read_text() != before
    with pytest.raises(BenchmarkError, match=r"trust: the shards name code; .*give trust=\[evil:FAMILY\]"):
        merged(suite.parent / "out")
    suite.write_text(before.replace("metrics: [vqa_accuracy, exact_match]", "metrics: [rouge_l]", 1))
    answers = sorted((suite.parent / "out").rglob("*.jsonl"))
    with pytest.raises(ResultsError, match="another evaluation: questions: "):
        merged(suite.parent / "out")
    assert sorted((suite.parent / "out").rglob("*.jsonl")) == answers, "nothing is written before it is checked"
