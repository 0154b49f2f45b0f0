"""Training: it learns, it resumes to the bit, it refuses a foreign run."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from embodio.agent import Agent, PolicyConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.reader import RLDSReader
from embodio.model.network.batch import collate
from embodio.model.weights.checksums import ChecksumError
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import ResumeError
from embodio.train.log import read_log
from embodio.train.main import make_trainer, train
from embodio.train.optimisers.config import OptimiserConfig
from tests.support.datasets.toy import write_toy_dataset
from tests.support.train.runs import same_files, settings, start_training


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=6, steps=7)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert train(settings(data, out)) == 0
    return out


def test_a_run_leaves_checkpoint_log_and_plot(finished: Path) -> None:
    lines = read_log(finished / "log.jsonl")
    steps = [line["step"] for line in lines if line["kind"] == "train"]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert {line["step"] for line in lines if line["kind"] == "validation"} == {3, 6}
    assert all(np.isfinite(line["loss"]) and 0 <= line["accuracy"] <= 1 for line in lines)
    assert (finished / "loss.png").stat().st_size > 5000
    agent = Agent.load(finished / "checkpoint")
    assert agent.format.config.chunk == 2


def test_stopping_and_going_on_gives_the_same_bits(data: Path, finished: Path, tmp_path: Path) -> None:
    """Also with another number of worker processes in between."""
    for workers in (0, 2, 0):
        train(settings(data, tmp_path / "run", stop_after=2, workers=workers))
    assert same_files(finished / "checkpoint", tmp_path / "run" / "checkpoint")
    logged = [(x["step"], x["loss"]) for x in read_log(tmp_path / "run" / "log.jsonl") if x["kind"] == "train"]
    assert logged == [(x["step"], x["loss"]) for x in read_log(finished / "log.jsonl") if x["kind"] == "train"]


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_killed_and_started_again_gives_the_same_bits(
    data: Path, finished: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    process = start_training(data, out, "workers=0")
    deadline = time.monotonic() + 600
    while not (out / "checkpoint" / "training.json").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(number)
    process.wait(timeout=600)
    train(settings(data, out))
    assert same_files(finished / "checkpoint", out / "checkpoint")


@pytest.mark.slow
def test_killed_again_and_again_at_any_moment_gives_the_same_bits(data: Path, finished: Path, tmp_path: Path) -> None:
    """Before the first checkpoint, while one is written, and with workers; once it runs through, all is equal."""
    out, random = tmp_path / "run", np.random.default_rng()
    for _ in range(8):
        process = start_training(data, out, f"workers={random.integers(3)}", "checkpoint_every=1")
        deadline, wanted = time.monotonic() + 600, int(random.integers(1, 3))
        before = len(read_log(out / "log.jsonl"))
        while process.poll() is None and len(read_log(out / "log.jsonl")) < before + wanted:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        process.wait(timeout=600)
    assert start_training(data, out, "workers=1").wait(timeout=600) == 0
    assert same_files(finished / "checkpoint", out / "checkpoint")


def test_other_settings_are_refused(data: Path, finished: Path) -> None:
    with pytest.raises(ResumeError, match=r"batch_size=4, but batch_size=5"):
        train(settings(data, finished, batch_size=5))
    with pytest.raises(ResumeError, match=r"optimiser\.ema=0\.999"):
        train(settings(data, finished, optimiser=OptimiserConfig(warmup=2, ema=0.5)))


def test_an_agent_sees_what_validation_saw_after_training_with_crops(data: Path, tmp_path: Path) -> None:
    config = settings(data, tmp_path, augment=AugmentConfig(crop=0.3), steps=1)
    train(config)
    agent = Agent.load(tmp_path / "checkpoint")
    assert agent.format.config.view == pytest.approx(0.85)
    episode = RLDSReader(data).episode(5)
    agent.reset(instruction=episode.instruction)
    agent.act({**{name: episode.frame(name, 0) for name in ("front", "hand")}, "state": episode.array("state")[0]})
    shown = agent.format.example(list(agent.sessions[0].window), episode.instruction)
    validated = next(iter(make_trainer(config).validators["next_action"].batches()))
    features = collate([agent.tasks.processor(shown)])
    assert torch.equal(features["inputs/image/input"][0], validated["inputs/image/input"][0])
    with pytest.raises(UsageError, match=r"policy\.view"):
        settings(data, tmp_path, policy=PolicyConfig(cameras=("front", "hand"), view=0.5))


def test_a_few_examples_are_learned_by_heart(data: Path, tmp_path: Path) -> None:
    trainer = make_trainer(
        settings(data, tmp_path, steps=40, augment=AugmentConfig(), optimiser=OptimiserConfig(warmup=5, ema=0.0))
    )
    batch = trainer.batches[0]
    losses = [trainer.step(batch).loss.item() for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0]


def test_the_checkpoint_holds_the_average_and_the_run_the_plain_weights(finished: Path) -> None:
    model = load_file(finished / "checkpoint" / "model.safetensors")
    state = load_file(finished / "checkpoint" / "training.safetensors")
    name = next(key for key in sorted(model) if key.endswith("weight"))
    np.testing.assert_array_equal(model[name], state[f"average/{name}"])
    assert not np.array_equal(model[name], state[f"model/{name}"])
    assert json.loads((finished / "checkpoint" / "training.json").read_text())["step"] == 6


def test_neighbouring_values_start_alike(data: Path, tmp_path: Path) -> None:
    trainer = make_trainer(settings(data, tmp_path))
    table = trainer.run.model.text_embedding.weight.detach()
    rows = table[torch.as_tensor(trainer.bundle.policy_format.vocabulary.value_ids)]
    near = torch.cosine_similarity(rows[:-1], rows[1:]).mean()
    far = torch.cosine_similarity(rows[:-100], rows[100:]).mean()
    assert near > 0.9 and abs(far) < 0.2
    assert abs(rows.std() - 1) < 0.1


@pytest.mark.parametrize("name", ["training.safetensors", "training.json", "model.safetensors"])
def test_a_damaged_checkpoint_is_not_gone_on_with(
    data: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    shutil.copytree(finished, tmp_path / "other")
    for path in (out / "checkpoint" / name, tmp_path / "other" / "checkpoint" / name):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    shutil.rmtree(out / "checkpoints")
    with pytest.raises(ChecksumError, match=name):
        train(settings(data, out))
    assert train(settings(data, tmp_path / "other")) == 0
    assert "Falling back to the checkpoint before it, of step 4" in capsys.readouterr().out.replace("\n", " ")
    assert same_files(finished / "checkpoint", tmp_path / "other" / "checkpoint")


def test_a_guess_about_the_data_stays_marked_in_the_checkpoint(data: Path, tmp_path: Path) -> None:
    described, out = tmp_path / "toy.yaml", tmp_path / "run"
    described.write_text(propose(open_source(data), data) + "guessed: [embodiment.action.rotation]\n")
    trainer = make_trainer(settings(described, out, steps=1))
    assert trainer.bundle.policy_format.embodiment.guessed == ("action.rotation",)
    trainer.train()
    with pytest.warns(UserWarning, match=r"guessed and never confirmed: action\.rotation"):
        agent = Agent.load(out / "checkpoint", embodiment=open_source(data).embodiment)
    assert "guessed, confirmed by nobody: action.rotation" in str(agent.embodiment)
    described.write_text(described.read_text().replace("guessed:", "see:"))
    assert make_trainer(settings(described, out, steps=1)).bundle.policy_format.embodiment.guessed == ()
