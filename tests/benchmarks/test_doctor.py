"""embodio-doctor: what is wrong is found, and comes with a remedy."""

from __future__ import annotations

import dataclasses
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from embodio.agent import save_checkpoint
from embodio.benchmarks import doctor
from embodio.benchmarks.doctor import DoctorConfig, examine, main
from tests.agent.conftest import make_checkpoint, make_format


def test_what_ships_fits_and_every_finding_has_a_remedy() -> None:
    findings = examine(DoctorConfig())
    assert {f.subject for f in findings} >= {"graphics", "versions", "threads", "cuda", "memory", "environment"}
    assert all(finding.remedy for finding in findings if finding.verdict != "ok")
    assert [f.verdict for f in findings if f.subject in ("checkpoint", "environment")] == ["ok", "ok"]


def test_a_foreign_checkpoint_is_wrong(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(make_format())
    folder = save_checkpoint(tmp_path / "toy", checkpoint.model, checkpoint.format)
    screen = StringIO()
    assert main([f"agent={folder}"], Console(file=screen, width=200)) == 1
    assert "control_hz" in screen.getvalue() and "train a policy on this robot" in screen.getvalue()


def test_a_missing_checkpoint_is_wrong(tmp_path: Path) -> None:
    findings = examine(DoctorConfig(agent=str(tmp_path / "nothing")))
    assert [f.verdict for f in findings if f.subject == "checkpoint"] == ["wrong"]


def test_too_many_threads_and_no_display_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1000)
    assert next(doctor.threads()).verdict == "wrong"
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "egl" in next(doctor.graphics()).remedy


def test_dimensions_that_never_moved_are_named() -> None:
    checkpoint = make_checkpoint(make_format())
    known = checkpoint.format.statistics
    field = known.field("state")
    still = dataclasses.replace(field, max=field.min, q01=field.min, q99=field.min)
    checkpoint.format.statistics = dataclasses.replace(known, fields={**known.fields, "state": still})
    assert [f.verdict for f in doctor.statistics(checkpoint)] == ["look", "look"]
