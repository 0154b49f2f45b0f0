"""docs/finetune.md runs from top to bottom: data, a family of one's own, training, LoRA, evaluation, an agent."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from embodio.agent import Agent
from embodio.benchmarks.evaluation.evaluate import main as evaluate
from embodio.benchmarks.rollouts.rollout import main as rollout
from embodio.datasets.catalogue.rows import read_catalogue
from embodio.model.tasks.families import family_named
from embodio.train.commands.collect import main as collect
from embodio.train.commands.data.data import main as data_command
from embodio.train.commands.scaling import ScalingConfig, scaling_table
from embodio.train.main import main as train
from tests.support.rooms import REPO

PAGE = (REPO / "docs" / "finetune.md").read_text(encoding="utf-8")
PROGRAMS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "embodio-collect": collect,
    "embodio-train": train,
    "embodio-data": data_command,
    "embodio-evaluate": evaluate,
    "embodio-rollout": rollout,
}
SMALL = {
    "steps": "2",
    "batch_size": "2",
    "workers": "0",
    "threads": "1",
    "validate_every": "2",
    "optimiser.warmup": "1",
}
PLAYED = {"episodes": "1", "workers": "1"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`(embodio-data .*?)`", PAGE)
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def command(program: str, part: str = "") -> list[str]:
    (found,) = [words for words in commands() if words[0] == program and any(part in word for word in words)]
    return found


def run(words: Sequence[str], **changes: str) -> None:
    """Runs a command of the page with other settings, in this process."""
    program, *rest = words
    plain = [word for word in rest if "=" not in word]
    settings = dict(word.split("=", 1) for word in rest if "=" in word) | changes
    assert PROGRAMS[program]([*plain, *(f"{name}={value}" for name, value in settings.items())]) == 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, in which the modules of docs can be imported; they are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(REPO / "docs"))
    monkeypatch.setenv("PYTHONPATH", str(REPO / "docs"))
    rows, suite = blocks("yaml")
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "mine.yaml").write_text(rows)
    (tmp_path / "suite.yaml").write_text(suite)
    yield tmp_path
    read_catalogue.cache_clear()
    for name in ("counting", "reach"):
        sys.modules.pop(name, None)


def drawn(pictures: str) -> dict[str, Any]:
    """Runs the program that draws; gives its names."""
    names: dict[str, Any] = {}
    text = blocks("python")[0]
    assert '{"train": 600, "validation": 100}' in text
    exec(compile(text.replace('{"train": 600, "validation": 100}', pictures), "finetune.md", "exec"), names)
    return names


def test_the_page_runs_from_top_to_bottom(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn('{"train": 6, "validation": 2}')
    run(command("embodio-collect", "episodes=200"), episodes="2", workers="1")
    run(command("embodio-collect", "out=data/reach_held_out"), episodes="1", workers="1")
    run(command("embodio-data"))
    assert "2 have a reader, 2 can be read in data" in capsys.readouterr().out
    run(command("embodio-train", "lift-nano"), **SMALL)
    run(command("embodio-evaluate"))
    run(command("embodio-rollout"), **PLAYED)
    assert "discs" in capsys.readouterr().out
    measured = json.loads(Path("runs/mine/evaluation/results.json").read_text())["tasks"]["reach"]["metrics"]
    assert measured["action_mae"]["action_mae"]["value"] > 0
    exec(compile(blocks("python")[1], "finetune.md", "exec"), {})
    assert re.search(r"reached\n(\d+\n|.*the model wrote)", capsys.readouterr().out)
    done = "runs/mine/evaluation"
    assert evaluate(["compare", done, done, "metrics=[counting:METRIC]"]) == 0
    assert evaluate(["compare", done, done]) == 1
    assert "give metrics=[counting:METRIC]" in capsys.readouterr().err
    small = {"init": "runs/mine/checkpoint", "size": "nano", "device": "cpu", "precision": "float32"}
    run(command("embodio-train", "lora.rank"), **SMALL | small)
    merged = Agent.load("runs/mine_large/checkpoint")
    assert not any("lora" in name for name, _ in merged.model.named_parameters())


@pytest.mark.slow
def test_what_is_learned_is_more_than_the_most_frequent_answer(folder: Path) -> None:
    drawn('{"train": 300, "validation": 50}')
    changes = SMALL | {"steps": "250", "batch_size": "32", "validate_every": "250", "optimiser.warmup": "50"}
    run(command("embodio-train", "lift-nano"), **changes, tasks="[discs]")
    run(command("embodio-evaluate"), tasks="[discs]")
    results = json.loads((folder / "runs" / "mine" / "evaluation" / "results.json").read_text())
    assert results["tasks"]["discs"]["metrics"]["counting:METRIC"]["right"]["value"] > 0.5


def test_commands_have_the_keys_that_the_page_gives(capsys: pytest.CaptureFixture[str]) -> None:
    shown = 0
    for words in commands():
        if words[0] == "torchrun":
            words = ["embodio-train", *words[words.index("embodio.train.main") + 1 :]]
        if words[0] in PROGRAMS:
            assert PROGRAMS[words[0]]([*words[1:], "--show"]) == 0, capsys.readouterr().err
            shown += 1
    assert shown == 9


@pytest.mark.parametrize("lora", [0, 16])
def test_the_tables_are_those_of_the_command(lora: int) -> None:
    assert (
        "embodio-train scaling 'gpus=[1,8]' rows=16 steps=20000 optimiser=adamw average=true 'targets=[text]'" in PAGE
    )
    config = ScalingConfig(
        gpus=(1, 8), rows=16, steps=20_000, optimiser="adamw", average=True, targets=("text",), lora=lora
    )
    assert scaling_table(config) in PAGE


def test_links_and_the_lengths_of_the_modules_are_right(folder: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (REPO / "docs" / target).exists(), target
    counting = importlib.import_module("counting")
    assert family_named("counting:FAMILY").annotation.__name__ == counting.Counted.__name__
