"""docs/data.md: its Python runs, its commands exist, and its robot is collected, learned and played."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from embodio.datasets import open_source
from embodio.envs import make_env, make_expert, run_episode
from embodio.train.commands.data.data import main as data_command
from embodio.train.main import main as train_command
from tests.support.datasets.toy import write_toy_dataset

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "data.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()] + re.findall(r"`(embodio-data .*?)`", PAGE)
    split = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in split if words[0] == "embodio-data"]  # tests/repo looks at the others


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_have_the_keys_that_the_page_gives(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert data_command([*words, "--show"]) == 0, capsys.readouterr().err


def test_the_snippets_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_toy_dataset(tmp_path / "data" / "mine", episodes=5, steps=4)
    for snippet in blocks("python"):
        exec(compile(snippet, "data.md", "exec"), {})
    assert "lift the cube" in capsys.readouterr().out


def test_the_description_of_the_page_opens_what_it_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_toy_dataset(tmp_path / "data" / "mine", episodes=5, steps=6)
    (text,) = blocks("yaml")
    ours = {
        "kind: lerobot ": "kind: rlds ",
        "observation/image_front": "observation/front",
        '[observation/joints, "observation/gripper[0]"]': '["observation/state[1]", "observation/state[0]"]',
        "[action]": '["action[0]", "action[2]"]',
        "values: {success: true}": "values: {episode_metadata/success: true}",
    }
    for theirs, named in ours.items():
        assert theirs in text
        text = text.replace(theirs, named)
    Path("mine.yaml").write_text(text, encoding="utf-8")
    source = open_source("mine.yaml")
    assert source.embodiment.name == "my-lab/arm" and source.episode(0).array("state").shape == (6, 2)
    assert data_command(["inspect", "mine.yaml"]) == 0, capsys.readouterr().err


def test_the_robot_of_the_page_is_collected_learned_and_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    monkeypatch.setenv("PYTHONPATH", str(DOCS))
    name = "reach:ReachEnv"
    env = make_env(name)
    assert run_episode(env, make_expert(name, env), seed=0).status == "success"
    monkeypatch.chdir(tmp_path)
    collect = importlib.import_module("embodio.train.commands.collect").main
    assert collect([f"env={name}", "episodes=4", "workers=1", "out=data/reach"]) == 0
    small = ["steps=1", "batch_size=2", "workers=0", "holdout=1", "out=runs/reach"]
    assert train_command(["data=data/reach", "policy.cameras=[top]", "action_key=expert_action", *small]) == 0
    rollout = importlib.import_module("embodio.benchmarks.rollouts.rollout").main
    played = ["agent=runs/reach/checkpoint", "episodes=1", "horizon=3", "record=data/own", "out=runs/reach/rollout"]
    assert rollout([f"env={name}", *played]) == 0
    assert len(list(Path("runs/reach/rollout/videos").glob("*.mp4"))) == 1
    assert open_source("data/own").embodiment == env.embodiment
