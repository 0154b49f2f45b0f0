"""embodio-envs: every environment has a line, variants stand with it, and a simulator that is missing is named."""

from __future__ import annotations

import importlib.util
import io

import pytest
from rich.console import Console

from embodio.envs import known_envs
from embodio.train.commands.envs import EnvsConfig, grouped, main, show


def test_every_name_is_shown() -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    assert show(EnvsConfig(), console) == 0
    lines = console.export_text().splitlines()
    for name, variants in grouped(known_envs()).items():
        (line,) = (line for line in lines if line.split()[:1] == [name])
        assert all(f"/{variant}" in line.split() for variant in variants)
    total = {name if not variant else f"{name}/{variant}" for name, own in grouped(known_envs()).items()
             for variant in ("", *own)}  # fmt: skip
    assert total == set(known_envs())


def test_a_missing_simulator_and_names_that_do_not_match(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["match=robosuite"]) == 0
    shown = capsys.readouterr().out
    assert "robosuite is not installed, which robosuite/... needs." in shown and "vima" not in shown
    assert main(["match=nowhere"]) == 1
    assert "no environment matches 'nowhere'" in capsys.readouterr().out
