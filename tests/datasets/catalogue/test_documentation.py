"""docs/tasks.md: its Python runs, its commands exist, and its category is read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from embodio.datasets.catalogue.rows import read_category
from embodio.train.commands.data.data import main as data_command
from embodio.train.main import main as train_command

PAGE = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def commands(program: str) -> list[list[str]]:
    split = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    return [words[1:] for words in split if words[0] == program]


@pytest.mark.parametrize("words", commands("embodio-data"), ids=" ".join)
def test_commands_have_the_keys_that_the_page_gives(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert data_command([*words, "--show"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("words", commands("embodio-train"), ids=" ".join)
def test_trainings_have_the_keys_that_the_page_gives(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train_command([*words, "--show"]) == 0, capsys.readouterr().err


def test_the_snippet_runs(capsys: pytest.CaptureFixture[str]) -> None:
    exec(blocks("python")[0], {})
    shown = capsys.readouterr().out
    assert "1.08% with all of its category" in shown and "'prompted': '60%'" in shown


def test_the_category_of_the_page_is_read(tmp_path: Path) -> None:
    file = tmp_path / "kitchen.yaml"
    file.write_text(blocks("yaml")[0])
    (row,) = read_category(file).rows
    assert row.name == "drawers" and row.inputs == ("text", "image") and row.size == 1200
