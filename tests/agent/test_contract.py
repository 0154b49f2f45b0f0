"""check_agent passes on ours and finds each planted fault."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, Checkpoint
from embodio.agent.contract import ContractError, check_agent
from tests.agent.conftest import make_embodiment, make_observation


class ToyEnv:
    """Gives random observations, whatever is done."""

    def __init__(self) -> None:
        self.unwrapped = SimpleNamespace(embodiment=make_embodiment())

    def reset(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        self.step_number = seed
        return make_observation(seed), {}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.step_number += 1
        return make_observation(self.step_number), 0.0, False, False, {}


class Faulty:
    """An agent with one fault."""

    def __init__(self, agent: Agent, fault: str) -> None:
        self.agent, self.fault, self.calls, self.memory = agent, fault, 0, np.zeros(3, np.float32)

    def reset(self, instruction: Any = None) -> None:
        self.agent.reset(instruction=instruction)

    def check_embodiment(self, embodiment: Any) -> None:
        if self.fault != "accepts anything":
            self.agent.check_embodiment(embodiment)

    def act(self, observation: dict[str, Any]) -> Any:
        self.calls += 1
        action = self.agent.act(observation)
        if self.fault == "float64":
            return action.astype(np.float64)
        if self.fault == "out of bounds":
            return action * 0 + np.float32(1.5)
        if self.fault == "NaN":
            return action * np.float32(np.nan)
        if self.fault == "half a gripper":
            action[..., 2] *= 0.5
        if self.fault == "writes into the observation":
            observation["front"][:] = 0
        if self.fault == "shared memory":
            self.memory[:] = action
            return self.memory
        if self.fault == "never the same":
            action[..., 0] = np.float32(np.sin(self.calls))
        if self.fault == "rows mixed" and action.ndim == 2:
            action[..., 0] = action[::-1, 0] * 0.5
        return action


def test_ours_keeps_the_contract(checkpoint: Checkpoint) -> None:
    assert len(check_agent(Agent(checkpoint), ToyEnv())) == 6


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("float64", "expected an action float32"),
        ("out of bounds", "x is 1.5, outside"),
        ("NaN", "must be finite"),
        ("half a gripper", "gripper is .*binary"),
        ("writes into the observation", "changed the observation's 'front'"),
        ("shared memory", "shares memory|writing into an earlier"),
        ("never the same", "."),
        ("rows mixed", "row . of a batch"),
        ("accepts anything", "control_hz was accepted"),
    ],
)
def test_planted_faults_are_found(checkpoint: Checkpoint, fault: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_agent(Faulty(Agent(checkpoint), fault), ToyEnv())
