"""docs/evaluation.md: its Python runs, its suite is one, its command has these keys, its table lists all metrics."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from embodio.benchmarks.evaluation.evaluate import main
from embodio.benchmarks.evaluation.suite import read_suite
from embodio.datasets.metrics import metric_names
from tests.support.rooms import REPO

PAGE = (REPO / "docs" / "evaluation.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_snippets_run(capsys: pytest.CaptureFixture[str]) -> None:
    for snippet in blocks("python"):
        exec(compile(snippet, "evaluation.md", "exec"), {})
    assert "cider_d" in capsys.readouterr().out


def test_the_suite_and_the_command_of_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text(blocks("yaml")[0])
    tasks = read_suite(str(tmp_path / "mine.yaml")).tasks
    assert [task.name for task in tasks] == ["questions", "places"]
    words = shlex.split(blocks("sh")[0])
    assert main([*words[1:], "--show"]) == 0 and "runs/mine" in capsys.readouterr().out


def test_every_metric_is_in_the_table() -> None:
    table = PAGE[PAGE.index("| of |") :]
    assert set(metric_names()) == set(re.findall(r"`(\w+)`", table[: table.index("\n\n")]))
