"""lift-nano acts as it did when its success rates were measured, to the bit."""

from __future__ import annotations

import numpy as np

from embodio.agent import Agent
from tests.support.agent.lift_nano_frames import INSTRUCTIONS, STEPS, drawn_observation

# Levels of the seven numbers (of 201, the gripper of 2) at each step of three episodes, noted from the version whose
# hundred episodes the README reports.
LEVELS = [
    [100, 100, 200, 200, 200, 200, 1],
    [100, 100, 200, 200, 200, 200, 1],
    [167, 94, 200, 200, 200, 200, 0],
    [160, 94, 200, 200, 200, 200, 0],
    [200, 200, 200, 200, 200, 0, 0],
    [200, 200, 200, 200, 200, 0, 0],
    [100, 100, 200, 114, 107, 200, 1],
    [149, 149, 200, 118, 107, 200, 0],
    [200, 200, 200, 200, 200, 0, 0],
    [200, 200, 200, 200, 200, 0, 0],
    [152, 114, 200, 200, 200, 0, 0],
    [157, 118, 200, 200, 200, 0, 0],
    [200, 200, 200, 200, 200, 0, 0],
    [200, 200, 200, 200, 200, 0, 0],
    [200, 0, 200, 0, 124, 0, 0],
    [200, 0, 200, 0, 118, 0, 0],
    [200, 58, 200, 0, 100, 0, 0],
    [200, 38, 200, 0, 105, 0, 0],
]


def test_actions_are_those_of_the_day_of_its_report() -> None:
    agent = Agent.load("lift-nano")
    played = []
    for episode, instruction in enumerate(INSTRUCTIONS):
        agent.reset(instruction=instruction)
        played += [agent.act(drawn_observation(agent.embodiment, episode, step)) for step in range(STEPS)]
    np.testing.assert_array_equal(np.stack(played), agent.format.codec.from_levels(np.array(LEVELS)))
