"""What a server needs of a policy, and an Agent seen that way: one state per client, many computed at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from embodio.agent.agent import Agent
from embodio.agent.errors import AgentError
from embodio.envs.embodiment import Embodiment


class Policy(Protocol):
    """A policy with many episodes at once; all methods but the properties are called in one thread."""

    @property
    def embodiment(self) -> Embodiment:
        """The robot that it was made for."""

    @property
    def info(self) -> dict[str, Any]:
        """Where it comes from."""

    def check_embodiment(self, embodiment: Embodiment) -> None:
        """Raises EmbodimentMismatch for another robot."""

    def open(self) -> Any:
        """A new episode's state."""

    def reset(self, state: Any, instruction: Any, seed: int | None) -> None:
        """Begins an episode anew."""

    def act(self, states: Sequence[Any], observations: Sequence[Any]) -> list[np.ndarray | AgentError]:
        """The next action of each, or why there is none; a fault of one must not touch the others."""


class AgentPolicy:
    """An Agent with one session per client.

    Args:
        agent: whose own episode is left alone.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    @property
    def embodiment(self) -> Embodiment:
        """The robot that it was made for."""
        return self.agent.embodiment

    @property
    def info(self) -> dict[str, Any]:
        """Where it comes from."""
        return self.agent.info

    def check_embodiment(self, embodiment: Embodiment) -> None:
        """Raises EmbodimentMismatch for another robot."""
        self.agent.check_embodiment(embodiment)

    def open(self) -> Any:
        """An agent that shares the network, with episodes of its own."""
        return self.agent.fork()

    def reset(self, state: Any, instruction: Any, seed: int | None) -> None:
        """Begins an episode anew."""
        if isinstance(instruction, list) and len(instruction) == 2 and not isinstance(instruction[1], str | np.ndarray):
            instruction = tuple(instruction)  # sound with its rate; tuples travel as lists
        state.reset(instruction, seed=seed)

    def act(self, states: Sequence[Any], observations: Sequence[Any]) -> list[np.ndarray | AgentError]:
        """The next action of each, planned together where that is needed."""
        answers: list[np.ndarray | AgentError] = []
        for state, observation in zip(states, observations, strict=True):
            try:
                answers.append(state.act(observation))
            except AgentError as error:
                answers.append(error)
        return answers
