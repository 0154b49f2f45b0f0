"""Demonstrations: clean labels, noisy execution, and steps that follow the RLDS convention."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets import CollectionError
from embodio.datasets.recording.demonstration import NoisyExpert, check_noise, record_demonstration
from embodio.datasets.rlds import Episode, features_of
from embodio.envs.embodiment import Dimension
from tests.support.datasets.fake_robot import HORIZON, FakeEnv, FakeExpert, FakeSource, fake_embodiment


def demonstrate(seed: int, noise: float, source: FakeSource | None = None) -> Episode:
    source = source or FakeSource()
    result, record = record_demonstration(
        FakeEnv(source), FakeExpert(source), fake_embodiment(), env_name="fake/plane", seed=seed, noise=noise
    )
    assert record is not None
    episode = Episode(record, features_of(fake_embodiment()))
    assert len(episode) == result.steps + 1
    return episode


class ConstantExpert:
    """Always gives the same action."""

    def __init__(self, action: np.ndarray) -> None:
        self.action = action

    def reset(self, instruction: str | None = None) -> None:
        pass

    def act(self, observation: object) -> np.ndarray:
        return self.action


@given(st.floats(-1, 1, width=32), st.floats(-0.5, 0.5), st.sampled_from([-1.0, 1.0]), st.floats(0, 10), st.integers(0))
def test_noise_stays_inside_the_limits_and_spares_binary_dimensions(
    x: float, y: float, gripper: float, level: float, seed: int
) -> None:
    clean = np.array([x, y, gripper], dtype=np.float32)
    policy = NoisyExpert(ConstantExpert(clean), fake_embodiment(), level, seed)
    executed = policy.act({})
    assert executed.dtype == np.float32
    assert np.array_equal(policy.clean, clean)
    assert executed[2] == clean[2]
    assert (np.abs(executed) <= [1.0, 0.5, 1.0]).all()


@given(st.floats(0.01, 10), st.integers(0, 20))
def test_limits_hold_although_actions_are_float32(limit: float, seed: int) -> None:
    plain = fake_embodiment()
    action = dataclasses.replace(plain.action, dimensions=(Dimension("x", "m", -limit, limit),))
    policy = NoisyExpert(ConstantExpert(np.zeros(1, np.float32)), dataclasses.replace(plain, action=action), 10.0, seed)
    executed = policy.act({})
    assert executed.dtype == np.float32
    assert -limit <= float(executed[0]) <= limit


def test_noise_has_the_level_in_halves_of_the_range() -> None:
    policy = NoisyExpert(ConstantExpert(np.zeros(3, np.float32)), fake_embodiment(), 0.2, seed=3)
    deviations = np.std([policy.act({}) for _ in range(4000)], axis=0)
    assert deviations == pytest.approx([0.2, 0.1, 0.0], rel=0.05)


def test_no_noise_leaves_the_action_to_the_bit() -> None:
    episode = demonstrate(seed=5, noise=0.0)
    assert np.array_equal(episode.array("action"), episode.array("expert_action"))


def test_executed_and_clean_actions_are_both_recorded() -> None:
    episode = demonstrate(seed=1, noise=0.4)
    state, clean, executed = (episode.array(name) for name in ("state", "expert_action", "action"))
    assert not np.array_equal(clean[:-1, :2], executed[:-1, :2])
    # the label answers the observation of its own step, and what was executed leads to the next one
    assert clean[:, :2] == pytest.approx(np.clip(-state, [-1.0, -0.5], [1.0, 0.5]))
    assert state[1:] == pytest.approx(state[:-1] + executed[:-1, :2], abs=1e-6)


def test_the_same_seed_gives_the_same_noise_and_another_seed_other_noise() -> None:
    first, again, other = (demonstrate(seed, 0.4).array("action") for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], other[0])


def test_flags_and_rewards_of_a_success() -> None:
    episode = demonstrate(seed=0, noise=0.0)
    length = len(episode)
    last = np.arange(length) == length - 1
    assert episode.array("is_first").tolist() == [True, *[False] * (length - 1)]
    assert np.array_equal(episode.array("is_last"), last)
    assert np.array_equal(episode.array("is_terminal"), last)
    assert episode.array("reward").tolist() == [0.0] * (length - 2) + [1.0, 0.0]
    assert episode.array("discount").tolist() == [1.0] * (length - 2) + [0.0, 0.0]
    assert episode.instruction == "move to the centre"
    assert episode.metadata == {
        "seed": 0,
        "success": True,
        "environment": "fake/plane",
        "expert": "FakeExpert",
        "noise": 0.0,
    }


def test_a_timeout_is_not_terminal() -> None:
    episode = demonstrate(seed=0, noise=0.0, source=FakeSource(eagerness=0.0))
    assert len(episode) == HORIZON + 1
    assert not episode.array("is_terminal").any()
    assert episode.array("is_last").tolist() == [False] * HORIZON + [True]
    assert (episode.array("discount") == 1.0).all()
    assert not episode.metadata["success"]


def test_images_belong_to_their_step() -> None:
    episode = demonstrate(seed=4, noise=0.2)
    for step in range(len(episode)):
        pixels = np.random.default_rng([4, step]).integers(0, 256, (8, 12, 3), np.uint8)
        assert np.abs(episode.frame("front", step).astype(int) - pixels).mean() < 6


def test_a_simulator_error_leaves_no_record() -> None:
    source = FakeSource(broken_seeds=(7,))
    result, record = record_demonstration(
        FakeEnv(source), FakeExpert(source), fake_embodiment(), env_name="fake/plane", seed=7, noise=0.0
    )
    assert (result.status, record) == ("error", None)
    assert "seed 7" in result.message


def test_observations_must_hold_what_the_embodiment_has() -> None:
    class Blind(FakeEnv):
        def _observe(self) -> dict[str, object]:
            return {name: value for name, value in super()._observe().items() if name != "wrist"}

    source = FakeSource()
    with pytest.raises(CollectionError, match=r"lack \['wrist'\]"):
        record_demonstration(
            Blind(source), FakeExpert(source), fake_embodiment(), env_name="fake/plane", seed=0, noise=0.0
        )


@pytest.mark.parametrize("noise", [(), (-0.1,), (float("nan"),), (0.0, 100.0)])
def test_senseless_noise_is_refused(noise: tuple[float, ...]) -> None:
    with pytest.raises(CollectionError, match="noise="):
        check_noise(noise)
