"""The snippets of docs/agent.md run from top to bottom, with a toy robot and a small network that also draws."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from embodio.agent import Agent, save_checkpoint
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from tests.support.agent.artists import artist
from tests.support.agent.released import write_released
from tests.support.agent.toy_env import ToyEnv

PAGE = Path(__file__).parents[2] / "docs" / "agent.md"


@pytest.mark.filterwarnings("ignore:robot bridge. not published")
def test_the_snippets_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(snippets) >= 7
    monkeypatch.chdir(tmp_path)
    checkpoint = artist()
    save_checkpoint(tmp_path / "runs" / "mine" / "checkpoint", checkpoint.model, checkpoint.format)
    write_released(tmp_path / "downloads" / "uio2-large")
    names: dict[str, Any] = {"env": ToyEnv(), "make_env": ToyEnv}
    with serving(AgentPolicy(Agent(artist()), 8), ServerSettings(port=0)) as names["url"]:
        for snippet in snippets:
            exec(compile(snippet, str(PAGE), "exec"), names)
    written = capsys.readouterr().out
    assert "unit rad" in written and "'p95'" in written and "reset of rows" in written
    assert names["goal"].ndim == 3 and names["result"].action.shape == (3,)
