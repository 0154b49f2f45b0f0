"""The README's snippets run, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from embodio.benchmarks.rollouts.rollout import VERBS, RolloutConfig
from embodio.benchmarks.rollouts.rollout import main as rollout_command
from embodio.train.command_line.cli import compose
from embodio.train.commands.collect import CollectConfig
from embodio.train.config import TrainConfig
from tests.support.rooms import REPO

PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("agent", "architecture", "decisions", "data", "model", "results", "training")),
)
SCHEMAS = {"embodio-rollout": RolloutConfig, "embodio-collect": CollectConfig, "embodio-train": TrainConfig}


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (REPO / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.sim
@pytest.mark.parametrize("snippet", blocks("README.md", "python"))
def test_python_snippets_run(snippet: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(snippet, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.splitlines()[-1] in ("success", "failure")


def test_there_is_a_snippet() -> None:
    assert any("agent.act(" in snippet for snippet in blocks("README.md", "python"))


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    targets = re.findall(r"^([\w-]+):", (REPO / "Makefile").read_text(), re.MULTILINE)
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    assert lines or page != "README.md"
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert words[1] in targets
        elif words[:1] == ["embodio-rollout"] and words[1] in VERBS:
            assert rollout_command([*words[1:], "--show"]) == 0
        elif words and Path(words[0]).name in SCHEMAS:
            compose(SCHEMAS[Path(words[0]).name], words[1:], config_dir=REPO / "train" / "configs")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (REPO / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text) + re.findall(r'src="([^"]+)"', text):
        if not target.startswith("http"):
            assert ((REPO / page).parent / target).exists(), f"{page} links to {target}"
