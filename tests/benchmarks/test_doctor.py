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
from tests.support.agent.policies import make_checkpoint, make_format


def test_what_ships_fits_and_every_finding_has_a_remedy() -> None:
    findings = examine(DoctorConfig())
    assert {f.subject for f in findings} >= {"graphics", "versions", "threads", "cuda", "memory", "disk", "environment"}
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


@pytest.mark.parametrize("part", ["model.safetensors", "statistics.json", "vocabulary.model"])
def test_a_damaged_checkpoint_is_wrong(tmp_path: Path, part: str) -> None:
    checkpoint = make_checkpoint(make_format())
    folder = save_checkpoint(tmp_path / "toy", checkpoint.model, checkpoint.format)
    (folder / part).write_bytes((folder / part).read_bytes()[:1000])
    findings = list(doctor.checkpoint(DoctorConfig(agent=str(folder))))
    assert [(f.subject, f.verdict) for f in findings] == [("checkpoint", "wrong")]


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1000)
    assert next(doctor.threads()).verdict == "wrong"
    monkeypatch.setenv("OMP_NUM_THREADS", "1000")
    assert "OMP_NUM_THREADS=1000" in next(doctor.threads()).found
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(doctor, "usable_cores", lambda: 2)
    for policy, verdict, how in (("passive", "ok", "sleep"), ("PASSIVE", "ok", "sleep"), ("active", "look", "spin")):
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
        finding = next(doctor.threads())
        assert finding.verdict == verdict and f"2 threads that {how} while they wait" in finding.found
        assert f"(OMP_NUM_THREADS=2, OMP_WAIT_POLICY={policy})" in finding.found


def test_graphics_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    finding = next(doctor.graphics())
    assert finding.verdict == "wrong" and "nonsense" in finding.found and "egl" in finding.remedy
    for code, told in (("print(0)", "black"), ("raise SystemExit(3)", "ended with 3"), ("print(255)", "renders")):
        monkeypatch.setattr(doctor, "_RENDER", code)
        assert told in next(doctor.graphics()).found


def test_versions_are_those_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["numpy>=1000", "nowhere-to-be-found>=2", "torch>=1", 'pytest<1; extra == "dev"']
    monkeypatch.setattr(doctor, "requires", lambda _: needed)
    found = list(doctor.packages())
    assert [(f.verdict, f.found.split()[0]) for f in found] == [
        ("wrong", "numpy"),
        ("wrong", "nowhere-to-be-found"),
        ("look", "pytest"),
    ]
    assert "pip install 'numpy>=1000'" in found[0].remedy
    monkeypatch.setattr(doctor, "requires", lambda _: ["torch>=1"])
    monkeypatch.setattr(doctor, "_tried", lambda: {"torch": "1.0"})
    assert [f.verdict for f in doctor.packages()] == ["look", "ok"]


def test_little_room_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LEAST_DISK", 1e9)
    monkeypatch.setattr(doctor, "_LEAST_MEMORY", 1e9)
    assert [next(look()).verdict for look in (doctor.disk, doctor.memory)] == ["wrong", "wrong"]


def test_dimensions_that_never_moved_are_named() -> None:
    checkpoint = make_checkpoint(make_format())
    known = checkpoint.format.statistics
    field = known.field("state")
    still = dataclasses.replace(field, max=field.min, q01=field.min, q99=field.min)
    checkpoint.format.statistics = dataclasses.replace(known, fields={**known.fields, "state": still})
    assert [f.verdict for f in doctor.statistics(checkpoint)] == ["look", "look"]
