"""Recordings of robots as trajectories."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.errors import CorruptRecordError, DatasetError
from embodio.datasets.objectives import named_objective
from embodio.datasets.opening import open_source
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.readers.episodes import _words
from embodio.envs.embodiment import Dimension
from tests.support.datasets.made_up_records import CONTEXT
from tests.support.datasets.toy import write_toy_dataset


def test_episodes_are_trajectories(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=3, steps=4)
    source, episodes = pickle.loads(pickle.dumps(open_records(folder))), open_source(folder)
    assert len(source) == 3 and source.place(2).episode == 2
    for index in (2, 0):
        trajectory, episode = source.record(index).trajectory, episodes.episode(index)
        assert trajectory is not None and trajectory.instruction == "lift the cube"
        assert np.array_equal(trajectory.actions, episode.array("action"))  # type: ignore[arg-type]
        assert np.array_equal(trajectory.states, episode.array("observation/state"))  # type: ignore[arg-type]
        assert len(trajectory.images) == 4 and len(trajectory.images[1:3]) == 2
        assert np.array_equal(trajectory.images[-1].load(), episode.frame("front", 3))
        with pytest.raises(IndexError):
            trajectory.images[4]
    hand = open_records(folder, columns={"image": "hand"}).record(0).trajectory
    assert np.array_equal(hand.images[0].load(), episodes.episode(0).frame("hand", 0))  # type: ignore[union-attr]
    with pytest.raises(DatasetError, match="record 3 of toy: there are 3"):
        source.record(3)


def test_limits_are_those_of_the_robot_and_the_objectives_of_trajectories_suit(tmp_path: Path) -> None:
    source = open_records(write_toy_dataset(tmp_path / "toy", episodes=1, steps=4))
    record, robot = source.record(0), open_source(tmp_path / "toy").embodiment
    trajectory = record.trajectory
    assert trajectory is not None and trajectory.action_limits is not None and trajectory.state_limits is not None
    assert trajectory.action_limits.tolist()[1] == [one.high for one in robot.action.dimensions]
    assert trajectory.state_limits.tolist()[0] == [one.low for one in robot.state]
    for name in ("trajectory_frame", "trajectory_state", "trajectory_action"):
        objective = named_objective(name)()
        assert objective.suits(record, CONTEXT)
        assert objective.example(record, CONTEXT, np.random.default_rng(0)).image is not None


def test_choices_among_words_are_words() -> None:
    steering = [Dimension.of_words("move", ("forward", "left", "stop"))]
    assert _words(np.array([[0.0], [2.0], [1.0]]), steering) == ("forward", "stop", "left")
    wrong = np.array([[0.0], [3.0]])
    assert _words(wrong, steering) is wrong and _words(None, steering) is None


def test_splits_may_be_data_sets_of_their_own(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("validation", 2)):
        write_toy_dataset(tmp_path / split, episodes=count, steps=3)
    assert len(open_records(tmp_path, split="train")) == 3
    assert len(open_records(tmp_path, split="validation")) == 2


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    digests = [
        open_records(write_toy_dataset(tmp_path / name, 2, 3, seed=seed)).digest
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_damaged_episodes_are_named(tmp_path: Path) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=3, steps=4)
    path = next(folder.glob("*.tfrecord*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    source = open_records(folder)
    with pytest.raises(CorruptRecordError, match="record 1"):
        source.record(1)
    assert source.record(2).trajectory is not None
