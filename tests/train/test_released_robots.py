"""Training from released weights with LoRA, in the format of one of their robots."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from embodio.agent import Agent, load_checkpoint
from embodio.agent.released.robots import released_robot
from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.opening import open_source
from embodio.datasets.recording.collect import collect
from embodio.envs import make_env
from embodio.envs.embodiment import Camera
from embodio.model import load
from embodio.train.main import main
from tests.support.agent.released import RandomScenes, write_released
from tests.support.datasets.toy import write_random_dataset
from tests.support.datasets.vima_files import write_episode

FEW = ("lora.rank=2", "batch_size=2", "holdout=1", "workers=0", "threads=1", "optimiser.warmup=1")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("released") / "uio2")


def test_a_policy_for_vima_begins_with_released_weights(released: Path, tmp_path: Path) -> None:
    for number, length in enumerate((1, 2, 1)):
        write_episode(tmp_path / "vima" / "rotate" / f"{number:06d}", length, 10 + number)
    out = tmp_path / "run"
    run = (f"data={tmp_path / 'vima'}", f"init={released}", "robot=vima", f"out={out}", *FEW)
    assert main([*run, "steps=1"]) == 0
    assert main([*run, "steps=2"]) == 0, "a run resumes in the shape of the released network"
    given, tuned = load(released).state_dict(), load_checkpoint(out / "checkpoint").model.state_dict()
    changed = {name for name, tensor in tuned.items() if not torch.equal(tensor, given[name])}
    assert changed and all(name.startswith(("encoder.", "decoder.")) for name in changed)
    agent = Agent.load(out / "checkpoint", robot="vima")
    assert agent.format.config == Agent.load(released, robot="vima").format.config
    observation = RandomScenes(agent.embodiment).reset(seed=1)[0]
    agent.reset(["Rotate the", np.zeros((128, 256, 3), np.uint8), "90 degrees."])
    assert agent.act(observation).shape == (7,)


def test_a_policy_on_ones_own_data_of_a_robot_takes_its_statistics(released: Path, tmp_path: Path) -> None:
    lab = dataclasses.replace(released_robot("bridge").embodiment, cameras=(Camera("side", 64, 64),))
    data = open_source(write_random_dataset(tmp_path / "rlds", lab, (3, 4)))
    convert(data, tmp_path / "lerobot", ConversionSettings("lerobot", fps=5))
    out = tmp_path / "run"
    run = (f"data={tmp_path / 'lerobot'}", f"init={released}", "robot=bridge", f"out={out}", *FEW)
    assert main([*run, "steps=2", "policy.history_frames=2"]) == 0
    form = Agent.load(out / "checkpoint").format
    assert form.camera_names == ("side",) and form.config.history_frames == 2
    assert form.config.prompt == released_robot("bridge").policy.prompt
    np.testing.assert_allclose(form.statistics.field("action").min[0], data.episode(0).array("action")[:, 0].min())


def test_navigation_learns_words_and_states(released: Path, tmp_path: Path) -> None:
    """The paper's two tasks on walks that the expert recorded."""
    collect("pointnav/Empty-8x8", 2, 0, tmp_path / "walks", noise=(0.0,), workers=1, progress=False)
    out, env = tmp_path / "run", make_env("pointnav/FourRooms")
    tasks = ("tasks.next_action=0.5", "tasks.next_state=0.5", "task.inputs.state=true")
    run = (f"data={tmp_path / 'walks'}", f"init={released}", "robot=pointnav", f"out={out}", *FEW)
    assert main([*run, *tasks, "steps=2"]) == 0
    assert {"next_action", "next_state"} <= {
        row.get("task") for row in map(json.loads, (out / "log.jsonl").read_text().splitlines())
    }
    agent = Agent.load(out / "checkpoint", env.unwrapped.embodiment)
    observation, _ = env.reset(seed=1)
    agent.reset(observation["instruction"])
    for _ in range(3):
        observation, *_ = env.step(agent.act(observation))
    told = agent.format.vocabulary.decode(agent.format.vocabulary.encode(agent.example().text))
    assert "<image_history_2> (" in told and "out of forward, left, right, stop." in told


def test_a_robot_that_released_weights_do_not_know_is_refused(
    released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"data={tmp_path}", f"init={released}", "robot=brigde", f"out={tmp_path / 'run'}"]) != 0
    assert "expected one that the released weights know: bridge, franka_kitchen" in capsys.readouterr().err
