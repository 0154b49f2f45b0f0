"""scripts/venv.sh: an environment that is reached through a link is never emptied."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.rooms import REPO


def test_a_linked_environment_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPO / "scripts" / "venv.sh", tmp_path / "scripts")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "kept").touch()
    (tmp_path / ".venv").symlink_to(shared)
    result = subprocess.run(["sh", "scripts/venv.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and "is a link to" in result.stderr
    assert (shared / "kept").exists()
