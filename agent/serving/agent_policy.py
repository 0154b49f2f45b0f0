"""AgentPolicy: an Agent as a server plays it, one state per client, batched steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from embodio.agent.agent import Agent
from embodio.agent.client.errors import MessageError
from embodio.agent.errors import AgentError
from embodio.agent.format.observation import batch_size
from embodio.agent.planning.session import Session
from embodio.envs.embodiment import Embodiment

_MOST_ANSWERS = 256


class AgentPolicy:
    """A served Agent; each client has a fork of it.

    Args:
        agent: the agent; its own episodes are unchanged.
        max_rows: largest number of rows of one client, and of one batch through the network.
    """

    def __init__(self, agent: Agent, max_rows: int = 64) -> None:
        self.agent, self.max_rows = agent, max_rows

    @property
    def embodiment(self) -> Embodiment:
        """The robot that it was made for."""
        return self.agent.embodiment

    @property
    def info(self) -> dict[str, Any]:
        """Where it comes from."""
        return self.agent.info

    @property
    def observation_keys(self) -> list[str]:
        """What it reads of an observation."""
        return self.agent.observation_keys

    def check_embodiment(self, embodiment: Embodiment) -> None:
        """Raises EmbodimentMismatch for another robot."""
        self.agent.check_embodiment(embodiment)

    def open(self) -> Agent:
        """An agent with the same network and episodes of its own."""
        return self.agent.fork()

    def call(self, state: Agent, verb: str, arguments: Mapping[str, Any]) -> Any:
        """The answer of the client's agent."""
        instruction = arguments.get("instruction")
        self._require_few(len(instruction) if isinstance(instruction, tuple) else 1)
        if verb in ("decide", "plan"):
            self._require_few_rows(arguments["observation"])
        answers = len(arguments.get("answers") or ())
        if answers > _MOST_ANSWERS:
            raise MessageError(f"answers: {answers}, but at most {_MOST_ANSWERS} can be weighed at once")
        if verb == "warmup" and arguments["rows"] > self.max_rows:
            raise MessageError(f"rows: {arguments['rows']}, but a client may have {self.max_rows}; use several clients")
        return getattr(state, verb)(**arguments)

    def instruct(self, state: Agent, instruction: str) -> None:
        """Restarts all rows with this instruction."""
        state.reset(instruction, rows=np.ones(len(state.sessions), dtype=np.bool_))

    def act(self, states: Sequence[Agent], observations: Sequence[Any]) -> list[np.ndarray | AgentError]:
        """The next action of each client, planned together where a plan is needed."""
        if self.agent.may_abstain:
            return [self._one(state, observation) for state, observation in zip(states, observations, strict=True)]
        answers: dict[int, np.ndarray | AgentError] = {}
        sessions: list[Session] = []
        moments: list[dict[str, Any]] = []
        places = []
        for index, (state, observation) in enumerate(zip(states, observations, strict=True)):
            try:
                self._require_few_rows(observation)
                count, rows, seen = state.read(observation)
            except AgentError as error:
                answers[index] = error
                continue
            places.append((index, count, slice(len(sessions), len(sessions) + len(rows))))
            sessions += rows
            moments += seen
        actions: list[np.ndarray] = []
        for begin in range(0, len(sessions), self.max_rows):
            part = slice(begin, begin + self.max_rows)
            actions += self.agent.act_sessions(sessions[part], moments[part], checked=True)
        for index, count, place in places:
            answers[index] = actions[place.start] if count is None else np.stack(actions[place])
        return [answers[index] for index in range(len(states))]

    def _one(self, state: Agent, observation: Any) -> np.ndarray | AgentError:
        try:
            self._require_few_rows(observation)
            return state.act(observation)
        except AgentError as error:
            return error

    def _require_few_rows(self, observation: Any) -> None:
        self._require_few(batch_size(self.agent.format.spec, observation) or 1)

    def _require_few(self, rows: int) -> None:
        """Raises MessageError for more rows than a client may have."""
        if rows > self.max_rows:
            raise MessageError(f"rows: {rows}, but a client may have {self.max_rows}; use several clients")
