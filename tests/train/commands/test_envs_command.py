"""embodio-envs: every environment is shown with its variants, and a simulator that is missing is named."""

from __future__ import annotations

import importlib.util
import io
import sys

import pytest
from rich.console import Console

from embodio.envs import known_envs
from embodio.train.commands.envs import EnvsConfig, main, show


@pytest.mark.parametrize("width", [80, 200])
def test_every_name_is_shown_on_any_terminal(width: int) -> None:
    console = Console(record=True, width=width, file=io.StringIO())
    assert show(EnvsConfig(), console) == 0
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= width
    names, family, tasks, variants = set(), "", list[str](), False
    for line in shown.splitlines():
        family = line if line.endswith("/") else family
        words = line.removeprefix("    each also with").split() if line.startswith("    ") else []
        for word in words:
            tasks = [] if variants and not word.startswith("/") else tasks
            variants = word.startswith("/")
            tasks += [] if variants else [word]
            names |= {f"{family}{task}{word}" for task in tasks} if variants else {f"{family}{word}"}
        if not words:
            tasks = []
    assert names == set(known_envs())


def test_a_missing_simulator_and_names_that_do_not_match(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "robosuite", raising=False)
    assert main(["match=robosuite"]) == 0
    shown = capsys.readouterr().out
    assert "robosuite is not installed: run `pip install robosuite==1.5.2`" in shown and "vima" not in shown
    assert main(["match=nowhere"]) == 1
    assert "no environment matches 'nowhere'" in capsys.readouterr().out
