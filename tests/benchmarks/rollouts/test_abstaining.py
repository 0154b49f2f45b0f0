"""A policy that learned to abstain, from demonstrations to a rollout that asks for what the scene lacks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from rich.console import Console

from embodio.agent import PolicyConfig
from embodio.benchmarks.rollouts.play import rollout
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import RolloutConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.next_action import NextActionConfig
from embodio.train.command_line.schema import UsageError
from embodio.train.config import TrainConfig
from embodio.train.main import train
from embodio.train.optimisers.config import OptimiserConfig
from tests.support.datasets.toy import write_toy_dataset
from tests.support.train.runs import settings

TOY = "tests.support.agent.toy_env:ToyEnv"


def config(data: Path, out: Path, **changes: object) -> TrainConfig:
    """A run that half of the time asks for a banana, of which there is none."""
    given = {
        "policy": PolicyConfig(cameras=("front", "hand"), chunk=2, abstains=True),
        "tasks": {"next_action": NextActionConfig(absent=0.5)},
        "absent_instructions": ("find the banana", "eat the banana"),
        "augment": AugmentConfig(),
    }
    return settings(data, out, **(given | changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=4, steps=6, instruction="push block 3")


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    every = {"log_every": 40, "validate_every": 40, "checkpoint_every": 40}
    optimiser = OptimiserConfig(learning_rate=1e-3, warmup=5, ema=0.9)
    assert train(config(data, out, steps=40, batch_size=8, optimiser=optimiser, **every)) == 0
    return out / "checkpoint"


def play(agent: Path, out: Path, **changes: object) -> Results:
    given = {"agent": str(agent), "env": TOY, "episodes": 3, "seed": 3, "video": 0, "threads": 1} | changes
    return rollout(RolloutConfig(out=out, **given), Console(quiet=True))  # type: ignore[arg-type]


def test_it_abstains_where_it_is_asked_for_what_is_not_there(trained: Path, tmp_path: Path) -> None:
    asked = play(trained, tmp_path / "banana", instruction="eat the banana")
    assert asked.summary.counts["abstained"] == 3 and asked.summary.success_rate == 0.0
    assert [(row.status, row.steps) for row in asked.rows] == [("abstained", 0)] * 3
    assert "'eat the banana'" in asked.rows[0].message
    assert Results.load(tmp_path / "banana" / "results.json").rows == asked.rows
    assert asked.settings["instruction"] == "eat the banana"
    done = play(trained, tmp_path / "block", instruction="push block 3")
    assert done.summary.counts["abstained"] == 0 and all(row.steps for row in done.rows)


def test_settings_that_make_no_sense_are_refused(data: Path, tmp_path: Path) -> None:
    silent = dataclasses.replace(config(data, tmp_path).policy, abstains=False)
    for changes, message in (
        ({"policy": silent}, r"policy\.abstains=true"),
        ({"absent_instructions": ()}, "nothing is known to be absent"),
    ):
        with pytest.raises(DatasetError, match=message):
            train(config(data, tmp_path / "refused", **changes))
    with pytest.raises(DatasetError, match="a share from 0 to below 1"):
        NextActionConfig(absent=1.0)
    with pytest.raises(UsageError, match="leave one of the two out"):
        RolloutConfig(out=tmp_path, instruction="eat the banana", record=tmp_path / "record")
