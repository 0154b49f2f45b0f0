"""`embodio-data prompts`: lists, fills in and checks wordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from embodio.train.commands.data.data import main


def test_all_wordings_are_listed_and_have_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts"]) == 0
    told = capsys.readouterr().out
    assert "refer.plain" in told and "caption.image/alt_text" in told and "no faults" in told


def test_one_family_is_shown_with_its_slots_filled(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "family=view"]) == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "(held out)" in told and "[theta sin cos r]" in told and "{" not in told
    assert main(["prompts", "family=vew"]) == 1
    assert "did you mean 'view'" in capsys.readouterr().err


def test_faults_of_own_files_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "refer.yaml").write_text("plain: {wordings: ['Find {thing}.']}", encoding="utf-8")
    assert main(["prompts", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "refer.plain: unfillable" in told and "3 faults" in told
    assert main(["prompts", str(tmp_path / "none")]) == 1
    assert "is not a YAML file" in capsys.readouterr().err
