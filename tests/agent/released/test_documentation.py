"""The snippets of docs/vima.md run from top to bottom, with stand-ins for the benchmark and the released weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent.released import write_released
from tests.support.envs.fake_vima_bench import install

PAGE = Path(__file__).parents[3] / "docs" / "vima.md"


def test_the_snippets_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(snippets) == 3
    install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_released(tmp_path / "downloads" / "uio2-large")
    names: dict[str, Any] = {}
    for snippet in snippets:
        exec(compile(snippet, str(PAGE), "exec"), names)
    assert names["terminated"] or names["truncated"]
    assert names["agent"].robot == names["as_published"].robot == "vima"
