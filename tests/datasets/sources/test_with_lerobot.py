"""Our files in the hands of LeRobot, and its files in ours, in a process of its own.

Runs where LeRobot is installed, or with another Python that has it: LEROBOT_PYTHON=/path/to/bin/python.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.features import ImageFeature
from embodio.datasets.opening import open_source
from tests.support.datasets.toy import write_toy_dataset

PYTHON = os.environ.get("LEROBOT_PYTHON", sys.executable)
pytestmark = pytest.mark.skipif(
    "LEROBOT_PYTHON" not in os.environ and importlib.util.find_spec("lerobot") is None,
    reason="LeRobot is not installed",
)
LENGTHS, TASKS = (5, 3, 7), ("open the door", "close the door", "open the door")


def run(program: str, *arguments: object) -> None:
    path = Path(__file__).parents[3] / "tests" / "support" / "programs" / program
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [PYTHON, str(path), *map(str, arguments)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("images", ["png", "video"])
def test_lerobot_reads_what_we_write(images: str, tmp_path: Path) -> None:
    source = open_source(write_toy_dataset(tmp_path / "toy", episodes=3, steps=4))
    convert(source, tmp_path / "out", ConversionSettings("lerobot", images=images))
    run("read_with_lerobot.py", tmp_path / "out", tmp_path / "read.npz")
    read = np.load(tmp_path / "read.npz")
    assert read["fps"] == source.embodiment.control_hz and str(read["robot"]) == source.embodiment.name
    ours = open_source(tmp_path / "out")
    index = 0
    for number in range(3):
        episode, original = ours.episode(number), source.episode(number)
        for step in range(4):
            values = {name: read[f"{index}|{name}"] for name in ("action", "observation.state", "next.reward")}
            assert np.array_equal(values["action"], original.array("action")[step])
            assert np.array_equal(values["observation.state"], original.array("state")[step])
            assert np.array_equal(values["next.reward"], original.array("reward")[step])
            assert read[f"{index}|next.done"] == original.array("is_terminal")[step]
            assert str(read[f"{index}|task"]) == original.text("language_instruction", step)
            assert (read[f"{index}|episode_index"], read[f"{index}|frame_index"]) == (number, step)
            for camera in ("front", "hand"):
                theirs = np.moveaxis(read[f"{index}|observation.images.{camera}"], 0, -1) * 255
                frame = original.frame(camera, step) if images == "png" else episode.frame(camera, step)
                assert np.abs(theirs - frame).max() < (0.01 if images == "png" else 4)
            index += 1
    actions = np.concatenate([source.episode(number).array("action") for number in range(3)])
    assert np.allclose(read["mean|action"], actions.mean(axis=0))


@pytest.mark.parametrize("kind", ["image", "video"])
def test_what_lerobot_writes_is_read_and_converted(kind: str, tmp_path: Path) -> None:
    run("write_with_lerobot.py", tmp_path / "made", kind)
    source = open_source(tmp_path / "made")
    convert(source, tmp_path / "rlds")
    index = 0
    for found in (source, open_source(tmp_path / "rlds")):
        assert [found.episode_length(number) for number in range(3)] == list(LENGTHS)
        assert isinstance(found.features.steps["observation/front"], ImageFeature)
        index = 0
        for number, (length, task) in enumerate(zip(LENGTHS, TASKS, strict=True)):
            episode = found.episode(number)
            assert episode.instruction == task
            assert episode.array("action").tolist() == [[step, -step] for step in range(length)]
            assert episode.array("reward").tolist() == [step / 2 for step in range(length)]
            assert episode.array("is_terminal").tolist() == [step == length - 1 for step in range(length)]
            for step in range(length):
                assert episode.array("state")[step].tolist() == [index, step, length]
                assert np.array_equal(episode.array("force")[step], np.arange(6.0).reshape(2, 3) + index)
                rows = np.linspace(0, 60, 32)[:, None, None] + 20 + 10 * index
                expected = np.broadcast_to(rows, (32, 48, 3)).astype(np.uint8).astype(int)
                difference = np.abs(episode.frame("front", step).astype(int) - expected)
                assert difference.max() <= (0 if kind == "image" else 6)
                index += 1
