"""Gymnasium's vector environments: every row acts, bit for bit, as one agent in one environment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from embodio.agent import Agent, AgentOptions
from tests.support.agent.policies import make_checkpoint, make_format
from tests.support.agent.toy_env import ToyEnv

ROWS, STEPS = 3, 9
FORMAT = make_format(chunk=3, history_frames=1)
OPTIONS = {
    "greedy": AgentOptions(replan=2),
    "drawn": AgentOptions(replan=2, temperature=1.0),
    "prepared": AgentOptions(replan=2, prepare=True),
    "int8": AgentOptions(replan=2, precision="int8"),
    "int8_weights": AgentOptions(replan=2, precision="int8_weights"),
    "bfloat16": AgentOptions(replan=2, precision="bfloat16"),
    "ensemble": AgentOptions(replan=1, ensemble=0.1, guidance=1.0),
}


def play_vector(env: Any, options: AgentOptions) -> list[list[np.ndarray]]:
    """The actions of each row; an agent's row starts over when the environment's has."""
    same_step = env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    agent = Agent(make_checkpoint(FORMAT, seed=6), options=options)
    observations, _ = env.reset(seed=5)
    agent.reset(instruction=observations["instruction"], seed=[0] * ROWS)
    played: list[list[np.ndarray]] = [[] for _ in range(ROWS)]
    ended = np.zeros(ROWS, dtype=np.bool_)
    for _ in range(STEPS):
        actions = agent.act(observations)
        for row in range(ROWS):
            played[row].append(actions[row])
        before = ended
        observations, _, terminated, truncated, _ = env.step(actions)
        ended = terminated | truncated
        begun = ended if same_step else before
        if begun.any():
            agent.reset(instruction=observations["instruction"], rows=begun)
    env.close()
    return played


def play_alone(row: int, options: AgentOptions, same_step: bool) -> list[np.ndarray]:
    """The same in an environment of its own, started over by hand."""
    env, agent = ToyEnv(), Agent(make_checkpoint(FORMAT, seed=6), options=options)
    observation, _ = env.reset(seed=5 + row)
    agent.reset(instruction=observation["instruction"], seed=0)
    played: list[np.ndarray] = []
    while len(played) < STEPS:
        played.append(agent.act(observation))
        observation, _, terminated, _, _ = env.step(played[-1])
        if terminated:
            if not same_step:
                played.append(agent.act(observation))  # asked for, and not used
            observation, _ = env.reset()
            agent.reset(instruction=observation["instruction"])
    return played[:STEPS]


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP], ids=str)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_rows_of_a_vector_environment(options: AgentOptions, mode: AutoresetMode) -> None:
    together = play_vector(SyncVectorEnv([ToyEnv] * ROWS, autoreset_mode=mode), options)
    for row in range(ROWS):
        expected = play_alone(row, options, mode == AutoresetMode.SAME_STEP)
        np.testing.assert_array_equal(together[row], expected, err_msg=f"row {row}")


@pytest.mark.parametrize("copy", [True, False])
def test_rows_of_processes(copy: bool) -> None:
    together = play_vector(AsyncVectorEnv([ToyEnv] * ROWS, copy=copy), OPTIONS["greedy"])
    for row in range(ROWS):
        np.testing.assert_array_equal(together[row], play_alone(row, OPTIONS["greedy"], same_step=False))
