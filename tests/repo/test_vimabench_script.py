"""scripts/vimabench.py: a clone of VIMA's benchmark becomes importable, or the error says how to get one."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.rooms import REPO
from tests.support.scripts import script


@pytest.mark.parametrize("given", [[], [""], ["somewhere"]])
def test_without_a_clone_it_says_how_to_get_one(given: list[str]) -> None:
    command = [sys.executable, str(REPO / "scripts" / "vimabench.py"), *given]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and "git clone https://github.com/vimalabs/VIMABench" in result.stderr


def test_a_clone_becomes_importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clone" / "vima_bench").mkdir(parents=True)
    (tmp_path / "clone" / "vima_bench" / "__init__.py").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert script("vimabench").main([str(tmp_path / "clone")]) == 0
    assert (tmp_path / "vimabench.pth").read_text() == f"{tmp_path / 'clone'}\n"
