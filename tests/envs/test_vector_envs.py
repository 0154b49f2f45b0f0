"""Several environments at once: gymnasium's vector environments give what single ones give."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from embodio.envs import make_env

pytestmark = pytest.mark.sim
SEEDS = [21, 22]
OPTIONS = {"horizon": 3, "image_size": 32}
ID = "embodio/robosuite-lift-v0"


def make() -> gymnasium.Env:
    return make_env("robosuite/lift", **OPTIONS)


@pytest.fixture(scope="module")
def single() -> list[list[dict]]:
    """Observations of the same two short episodes, one after the other."""
    env, episodes = make(), []
    for seed in SEEDS:
        observations = [env.reset(seed=seed)[0]]
        for _ in range(2):
            observations.append(env.step(np.full(7, 0.5, np.float32))[0])
        episodes.append(observations)
    env.close()
    return episodes


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: gymnasium.make_vec(ID, 2, "sync", **OPTIONS), id="sync-by-id"),
        pytest.param(lambda: gymnasium.vector.AsyncVectorEnv([make, make]), id="async", marks=pytest.mark.slow),
        pytest.param(lambda: gymnasium.vector.AsyncVectorEnv([make, make], context="spawn"), id="async-spawn"),
    ],
)
def test_vector_env_equals_single_envs(build, single):
    envs = build()
    assert envs.single_action_space.shape == (7,)
    batches = [envs.reset(seed=SEEDS)[0]]
    for _ in range(2):
        batches.append(envs.step(np.full((2, 7), 0.5, np.float32))[0])
    *_, truncated, _ = envs.step(np.zeros((2, 7), np.float32))
    assert truncated.all()
    envs.close()
    for index, episode in enumerate(single):
        for step, observation in enumerate(episode):
            for key, value in observation.items():
                np.testing.assert_array_equal(batches[step][key][index], value, err_msg=f"{key} of step {step}")
