"""docs/plain.py computes what `Agent.act` and the trainer compute, to the bit, and stays as short as it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from embodio.agent import Agent, PolicyConfig
from embodio.train.config import TrainConfig
from embodio.train.main import make_trainer
from embodio.train.optimisers.config import OptimiserConfig
from tests.support.agent.lift_nano_frames import INSTRUCTIONS, STEPS, drawn_observation
from tests.support.datasets.toy import write_toy_dataset

PLAIN = Path(__file__).resolve().parents[2] / "docs" / "plain.py"
MOST_LINES = 120


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plain", PLAIN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_short() -> None:
    assert len(PLAIN.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("replan", [1, 2, 4])
def test_it_acts_as_agents_do(plain: ModuleType, replan: int) -> None:
    agent, slow = Agent.load("lift-nano", replan=replan), plain.PlainAgent("lift-nano", replan)
    for episode, instruction in enumerate(INSTRUCTIONS):
        agent.reset(instruction=instruction)
        slow.reset(instruction)
        for step in range(STEPS):
            observation = drawn_observation(agent.embodiment, episode, step)
            np.testing.assert_array_equal(slow.act(observation), agent.act(observation))


def test_it_trains_as_the_trainer_does(plain: ModuleType, tmp_path: Path) -> None:
    data = write_toy_dataset(tmp_path / "toy", episodes=6, steps=7)
    own = OptimiserConfig(warmup=2, ema=0.0)
    config = TrainConfig(
        data=str(data),
        out=str(tmp_path / "run"),
        steps=5,
        batch_size=4,
        holdout=1,
        threads=1,
        workers=0,
        policy=PolicyConfig(cameras=("front", "hand"), chunk=2),
        optimiser=own,
    )
    trainer = make_trainer(config)
    twin = make_trainer(config)
    slow = plain.PlainTrainer(twin.run.model, twin.bundle.policy_format, data, range(5), config.seed, config.batch_size)
    optimiser = slow.optimiser(own.weight_decay, (own.beta1, own.beta2))
    losses = slow.train(config.steps, optimiser, own.learning_rate, own.warmup, own.final, own.clip, config.z_loss)
    assert trainer.train()
    for (name, weight), (_, other) in zip(
        trainer.run.model.state_dict().items(), slow.model.state_dict().items(), strict=True
    ):
        assert torch.equal(weight, other), name
    assert losses[-1] < losses[0]
