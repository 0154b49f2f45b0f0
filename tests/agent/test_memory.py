"""An agent that acts for long holds no more memory than one that has just begun."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from embodio.agent import Agent, AgentOptions, PolicyFormat
from embodio.model.process_memory import resident_memory
from tests.support.agent.policies import make_checkpoint
from tests.support.agent.robots import continuous, hearing, observation_of, poses, words


def grown(agent: Agent, observations: list[dict[str, object]], steps: int) -> int:
    """Bytes that Python holds after that many steps beyond those after the first fifth."""
    agent.reset(instruction="go on")
    held = 0
    tracemalloc.start()
    try:
        for step in range(steps):
            agent.act(observations[step % len(observations)])
            if step == steps // 5:
                gc.collect()
                held = tracemalloc.get_traced_memory()[0]
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - held
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(continuous, marks=pytest.mark.slow),
        pytest.param(words, marks=pytest.mark.slow),
        pytest.param(poses, marks=pytest.mark.slow),
        lambda: hearing(microphone=True, chunk=3),
    ],
)
def test_memory_does_not_grow(make: Callable[[], PolicyFormat]) -> None:
    policy_format = make()
    agent = Agent(make_checkpoint(policy_format), options=AgentOptions(replan=policy_format.chunk))
    # A quarter of a segment, whose number in memory comes and goes: after 25 steps they are as many as after 121.
    tone = np.sin(np.arange(8160) / 3).astype(np.float32)
    seen = [observation_of(policy_format, seed) | {"microphone": tone} for seed in range(4)]
    assert grown(agent, seen, 121) < 40_000  # a frame that was kept has 49,000 bytes


@pytest.mark.slow
def test_memory_does_not_grow_over_ten_thousand_steps() -> None:
    agent = Agent.load("lift-nano", replan=4)
    seen = [observation_of(agent.format, seed) for seed in range(8)]
    agent.warmup()
    before = resident_memory()
    assert grown(agent, seen, 10_000) < 64_000
    after = resident_memory()
    assert before is None or after is None or after - before < 8
