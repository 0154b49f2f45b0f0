"""What a server needs of a policy, and an Agent seen that way: one state per client, many computed at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from embodio.agent.agent import Agent
from embodio.agent.errors import Abstained, AgentError, NotReset
from embodio.agent.observation import read_observation
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
        """A new session."""
        return self.agent.open_session()

    def reset(self, state: Any, instruction: Any, seed: int | None) -> None:
        """Begins an episode anew."""
        if isinstance(instruction, list) and len(instruction) == 2 and not isinstance(instruction[1], str | np.ndarray):
            instruction = tuple(instruction)  # sound with its rate; tuples travel as lists
        state.reset(instruction, seed)

    def act(self, states: Sequence[Any], observations: Sequence[Any]) -> list[np.ndarray | AgentError]:
        """The next action of each, planned together where that is needed."""
        answers: list[np.ndarray | AgentError] = []
        ready = []
        for index, (state, observation) in enumerate(zip(states, observations, strict=True)):
            try:
                if state.instruction is None:
                    raise NotReset("act: there is no instruction yet; call agent.reset(instruction=...) first")
                read_observation(self.agent.format.spec, observation)
                ready.append(index)
            except AgentError as error:
                answers.append(error)
            else:
                answers.append(NotReset("act: not computed"))
        if ready:
            chosen, seen = [states[i] for i in ready], [observations[i] for i in ready]
            for index, action in zip(ready, self._actions(chosen, seen), strict=True):
                answers[index] = action
        return answers

    def _actions(self, states: Sequence[Any], observations: Sequence[Any]) -> Sequence[np.ndarray | AgentError]:
        if self.agent.options.abstain_below is None:
            return self.agent.act_sessions(states, observations)
        results = self.agent.decide_sessions(states, observations)
        return [Abstained("act: the agent abstains; stop the robot") if r.abstained else r.action for r in results]
