"""Recordings of agents: a data set of what they saw and did, whatever interrupts the rollout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from embodio.benchmarks.rollouts import player as player_module
from embodio.datasets.episodes.recorded.images import prompt_of
from embodio.datasets.errors import CollectionError, CollectionMismatch
from embodio.datasets.opening import open_source
from embodio.datasets.recording.recording import observed
from embodio.envs.interleaved_prompt import PromptSpace
from tests.support.benchmarks.fake_world import OUTCOMES
from tests.support.benchmarks.recorded import EMBODIMENT, MovingPolicy, SeeingEnv
from tests.support.benchmarks.rollouts import SEED, play


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> MovingPolicy:
    policy = MovingPolicy()
    monkeypatch.setattr(player_module, "make_env", lambda name, **kwargs: SeeingEnv(**kwargs))
    monkeypatch.setattr(player_module, "make_expert", lambda name, env: policy)
    return policy


def test_what_is_recorded(tmp_path: Path, policy: MovingPolicy) -> None:
    play(tmp_path / "run", record=tmp_path / "data")
    source = open_source(tmp_path / "data")
    kept = [(seed, outcome) for seed, outcome in OUTCOMES.items() if outcome != "error"]
    assert len(source) == len(kept) and source.embodiment == EMBODIMENT
    first = 1
    for number, (seed, outcome) in enumerate(kept):
        episode = source.episode(number)
        assert episode.metadata == {
            "seed": SEED + seed, "success": outcome == "success", "status": outcome, "environment": "fake",
            "agent": "expert",
        }  # fmt: skip
        assert len(episode) == 4 and episode.instruction == "lift the cube"
        if seed < 4:  # the broken episode acted twice in between
            assert np.allclose(episode.array("action")[:3, 0] * 100, [first, first + 1, first + 2])
            assert np.allclose(episode.array("action")[3, 0] * 100, first + 3)  # wanted, not executed
            first += 4
        assert [int(episode.frame("front", step).mean()) for step in range(4)] == [0, 40, 80, 120]
        assert episode.array("is_last").tolist() == [False, False, False, True]
        assert bool(episode.array("is_terminal")[3]) == (outcome != "timeout")
        assert episode.array("reward").sum() == (outcome == "success")


def test_an_interrupted_recording_goes_on(tmp_path: Path, policy: MovingPolicy) -> None:
    policy.interrupt_at = 2
    with pytest.raises(KeyboardInterrupt):
        play(tmp_path / "run", record=tmp_path / "data")
    assert len(open_source(tmp_path / "data")) == 2
    policy.interrupt_at = None
    play(tmp_path / "run", record=tmp_path / "data")
    seeds = [open_source(tmp_path / "data").episode(number).metadata["seed"] - SEED for number in range(5)]
    assert seeds == [0, 1, 2, 3, 5]
    play(tmp_path / "run", record=tmp_path / "data", restart=True)
    assert len(open_source(tmp_path / "data")) == 5


def test_other_recordings_and_folders_are_refused(tmp_path: Path, policy: MovingPolicy) -> None:
    play(tmp_path / "run", record=tmp_path / "data", episodes=1)
    with pytest.raises(CollectionMismatch, match="seed"):
        play(tmp_path / "other", record=tmp_path / "data", episodes=1, seed=6)
    (tmp_path / "data" / "collection.json").unlink()
    with pytest.raises(CollectionError, match="which no collection put there"):
        play(tmp_path / "run", record=tmp_path / "data", episodes=2)


class ShowingEnv(SeeingEnv):
    """Says with a picture what to do."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.observation_space = spaces.Dict({"instruction": PromptSpace(4, 5)})

    def _observe(self) -> dict[str, Any]:
        return super()._observe() | {"instruction": ["lift", np.full((4, 5, 3), 7, np.uint8)]}


def test_pictures_of_the_instruction_are_recorded(
    tmp_path: Path, policy: MovingPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "make_env", lambda name, **kwargs: ShowingEnv(**kwargs))
    play(tmp_path / "run", record=tmp_path / "data", episodes=1)
    play(tmp_path / "run", record=tmp_path / "data", episodes=2)
    words, picture = prompt_of(open_source(tmp_path / "data").episode(1))
    assert words == "lift" and picture.shape == (4, 5, 3) and (picture == 7).all()


def test_what_the_robot_has_must_be_seen() -> None:
    with pytest.raises(CollectionError, match="holds more than words"):
        observed({"state": np.zeros(1), "instruction": ["go"], "front": np.zeros((8, 12, 3), np.uint8)}, EMBODIMENT)
    with pytest.raises(CollectionError, match=r"lack \['front'\]"):
        observed({"state": np.zeros(1), "instruction": "go"}, EMBODIMENT)
