"""docs/records.md: its Python runs, its commands exist, and its table of readers is complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from embodio.datasets.records.opening import record_readers
from embodio.train.commands.data.data import main

PAGE = (Path(__file__).parents[3] / "docs" / "records.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_have_the_keys_that_the_page_gives(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*shlex.split(line)[1:], "--show"]) == 0, capsys.readouterr().err


def test_the_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "poems").mkdir(parents=True)
    (tmp_path / "data" / "poems" / "a.txt").write_text("Roses are red")
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(snippet, "records.md", "exec"), {})
    assert capsys.readouterr().out == "a.txt#0 Roses are red\n"


def test_every_reader_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE)) == {one.kind for one in record_readers()}
