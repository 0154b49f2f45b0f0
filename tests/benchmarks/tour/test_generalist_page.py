"""docs/generalist.md: its snippets run with the network that ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.rooms import REPO

PAGE = (REPO / "docs" / "generalist.md").read_text(encoding="utf-8")


@pytest.mark.sim
def test_the_snippets_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "generalist.md", "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "True", "it lifts the cube of this seed, told by this voice"
    assert names["info"]["success"]  # type: ignore[index]
    assert "(128, 256, 3)" in lines, "both cameras side by side"
    y, x = names["pointed"].point  # type: ignore[attr-defined]
    y1, x1, y2, x2 = names["tasks"].refer([names["frame"]], ["red cube"])[0].box  # type: ignore[attr-defined]
    assert y1 - 6 <= y <= y2 + 6 and x1 - 6 <= x <= x2 + 6, "it points at what it finds"
    assert not any("AnswerError" in line for line in lines), lines
