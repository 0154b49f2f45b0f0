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
    names, family, tasks = set(), "", list[str]()
    for line in shown.splitlines():
        if line.endswith("/"):
            family = line
            tasks = []
        elif line.startswith("    each also with"):
            names |= {f"{family}{task}{variant}" for task in tasks for variant in line.split()[3:]}
            tasks = []
        elif line.startswith("    "):
            tasks += line.split()
            names |= {f"{family}{task}" for task in line.split()}
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
