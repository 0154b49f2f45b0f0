"""Corrections: the learner plays first, the expert labels every step and brings the episode to its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets import CollectionMismatch, RLDSReader
from embodio.datasets.recording.collect import collect
from embodio.datasets.recording.demonstration import record_demonstration
from embodio.datasets.recording.learner import CorrectingExpert, Learner
from embodio.datasets.rlds import Episode, features_of
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import SimulatorError
from embodio.envs.rollout import EpisodeResult
from tests.support.datasets.fake_robot import GOAL_DISTANCE, FakeEnv, FakeExpert, FakeSource, fake_embodiment

AWAY = np.array([0.125, 0.125, -1.0], np.float32)


class Stray:
    """A learner that always goes the same way."""

    def reset(self, instruction: str | None = None) -> None:
        self.instruction = instruction

    def act(self, observation: Mapping[str, Any]) -> np.ndarray:
        return AWAY


def stray(embodiment: Embodiment) -> Stray:
    assert embodiment == fake_embodiment()
    return Stray()


def demonstrate(expert: FakeExpert, seed: int, player: Stray, learner: Learner) -> tuple[EpisodeResult, bytes | None]:
    return record_demonstration(
        FakeEnv(FakeSource()),
        expert,
        fake_embodiment(),
        env_name="fake/plane",
        seed=seed,
        noise=0.0,
        learner=(player, learner),
    )


def play(seed: int, takeover: int, recorded: bool) -> tuple[int, Episode | None]:
    learner = Learner("stray", stray, takeover, recorded)
    result, record = demonstrate(FakeExpert(FakeSource()), seed, stray(fake_embodiment()), learner)
    return result.steps, None if record is None else Episode(record, features_of(fake_embodiment()))


def takeover_of(seed: int, takeover: int) -> int:
    learner = Learner("stray", stray, takeover)
    return CorrectingExpert(FakeExpert(FakeSource()), fake_embodiment(), 0.0, seed, Stray(), learner).takeover


@given(st.integers(0, 2**31 - 1), st.integers(0, 6))
def test_recorded_steps_of_the_learner_have_the_experts_labels(seed: int, takeover: int) -> None:
    steps, episode = play(seed, takeover, recorded=True)
    led = min(takeover_of(seed, takeover), steps)
    assert led <= takeover
    assert episode is not None and len(episode) == steps + 1
    states, labels, executed = (episode.array(name) for name in ("state", "expert_action", "action"))
    assert (executed[:led] == AWAY).all()
    assert np.array_equal(executed[led:], labels[led:])
    expected = np.clip(-states, [-1.0, -0.5], [1.0, 0.5])
    assert np.array_equal(labels[:, :2], expected)
    assert episode.metadata["seed"] == seed


@given(st.integers(0, 2**31 - 1), st.integers(0, 6))
def test_without_them_an_episode_begins_where_the_expert_takes_over(seed: int, takeover: int) -> None:
    steps, whole = play(seed, takeover, recorded=True)
    _, episode = play(seed, takeover, recorded=False)
    led = takeover_of(seed, takeover)
    assert whole is not None
    if led >= steps:
        assert episode is None
        return
    assert episode is not None and len(episode) == steps + 1 - led
    assert np.array_equal(episode.array("state"), whole.array("state")[led:])
    assert np.array_equal(episode.array("action"), episode.array("expert_action"))
    assert episode.metadata["seed"] == (-1 if led else seed)
    assert episode.array("is_first").tolist() == [True] + [False] * (steps - led)


def test_the_takeover_reaches_every_step_up_to_the_highest() -> None:
    assert {takeover_of(seed, 3) for seed in range(100)} == {0, 1, 2, 3}


class Lost(FakeExpert):
    """An expert that has no plan far away from the centre."""

    def act(self, observation: Mapping[str, Any]) -> np.ndarray:
        if np.abs(observation["state"]).max() > 1:
            raise SimulatorError("no plan")
        return super().act(observation)


def test_where_the_expert_is_lost_the_episode_failed_and_is_not_tried_again() -> None:
    statuses = set()
    for seed in range(30):
        result, record = demonstrate(Lost(FakeSource()), seed, Stray(), Learner("stray", stray, 8))
        statuses.add((result.status, record is not None))
    assert ("failure", False) in statuses and ("success", True) in statuses
    assert {status for status, _ in statuses} <= {"failure", "success", "timeout"}


class Finished(FakeExpert):
    """An expert that has nothing to say once its work is done."""

    def act(self, observation: Mapping[str, Any]) -> np.ndarray:
        if np.abs(observation["state"]).max() < GOAL_DISTANCE:
            raise SimulatorError("nothing left to do")
        return super().act(observation)


class Unwilling(Stray):
    """A learner that refuses to act."""

    def act(self, observation: Mapping[str, Any]) -> np.ndarray:
        raise RefusedError


class RefusedError(Exception):
    """It refuses."""


@pytest.mark.parametrize("player", [Stray(), Unwilling()])
def test_an_expert_at_the_end_of_its_work_and_a_learner_that_refuses_lose_nothing(player: Stray) -> None:
    for seed in range(10):
        learner = Learner("stray", stray, 2, abstains=(RefusedError,))
        result, record = demonstrate(Finished(FakeSource()), seed, player, learner)
        assert (result.status, record is not None) == ("success", True)


@pytest.mark.parametrize("recorded", [False, True])
def test_a_collection_keeps_who_played_first(tmp_path: Path, recorded: bool) -> None:
    def run(episodes: int, learner: Learner | None) -> Any:
        return collect(
            "fake/plane", episodes, 7, tmp_path, noise=(0.0,), source=FakeSource(), progress=False, workers=1,
            keep_failures=True, learner=learner,
        )  # fmt: skip

    learner = Learner("stray", stray, 9, recorded)
    summary = run(6, learner)
    assert summary.attempted == 6
    assert run(6, learner).resumed == 6  # also those that left nothing to record
    kept = [play(7 + index, 9, recorded)[1] for index in range(6)]
    expected = [episode for episode in kept if episode is not None]
    assert len(expected) == summary.episodes
    for episode, want in zip(RLDSReader(tmp_path), expected, strict=True):
        assert np.array_equal(episode.array("state"), want.array("state"))
    with pytest.raises(CollectionMismatch, match="agent"):
        run(6, None)
