"""NetworkRunner: a network that answers families of tasks, and acts where it is that of an agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.metrics.parts.episodes import ActionSeries
from embodio.envs.embodiment import Embodiment
from embodio.model.tasks.base.family import with_answer
from embodio.model.tasks.errors import AnswerError

if TYPE_CHECKING:
    from embodio.agent import Agent
    from embodio.agent.planning.session import Session

ACT = "act"
"""What is asked of an agent; all else is a family of tasks."""


class Families(Protocol):
    """As `TaskRunner`."""

    def run(self, *asked: Any, **how: Any) -> Sequence[Any]:
        """The answers to annotations of a family, which are its first two arguments."""


class NetworkRunner:
    """A network in a folder.

    Args:
        tasks: answers families of tasks.
        model: the folder, which is that of an agent if actions are asked for.
        device: where the agent's network goes.

    Attributes:
        tasks: as given.
    """

    def __init__(self, tasks: Families, model: str, device: str) -> None:
        self.tasks, self._model, self._device = tasks, model, device
        self._agents: dict[str, Agent] = {}

    def run(self, family: Any, asked: Sequence[Any], **how: Any) -> Sequence[Any]:
        """The answers; for "act" the actions of an agent, see `acted`.

        Raises:
            BenchmarkError: there is no agent in the folder, or not one for the robot.
            ModelError: as of `TaskRunner.run`.
        """
        if family != ACT:
            return self.tasks.run(family, asked, **how)
        return acted(self._agent(asked[0].embodiment), asked, how["seeds"]) if asked else []

    def _agent(self, embodiment: Embodiment) -> Agent:
        """The agent of a robot, which is kept."""
        from embodio.agent import Agent
        from embodio.agent.errors import AgentError
        from embodio.envs.errors import EnvError

        if embodiment.name not in self._agents:
            try:
                agent = Agent.load(self._model, embodiment, device=self._device)
            except (AgentError, EnvError) as error:
                raise BenchmarkError(f"model: {self._model} cannot act: {error}") from error
            self._agents[embodiment.name] = agent
        return self._agents[embodiment.name]


def acted(agent: Agent, asked: Sequence[ActionSeries], seeds: Sequence[int]) -> list[ActionSeries | AnswerError]:
    """The actions of an agent at steps of recorded episodes, whose earlier steps it is shown as they were.

    Args:
        agent: of the robot.
        asked: without actions.
        seeds: of each.

    Raises:
        BenchmarkError: the agent reads something that is not there, or plans fewer actions than are asked for.
    """
    from embodio.agent.errors import AgentError

    try:
        sessions = [_session(agent, one, seed) for one, seed in zip(asked, seeds, strict=True)]
        plans = agent.runtime.plan(sessions, whole_chunk=True)
    except AgentError as error:
        raise BenchmarkError(f"the episodes do not fit the agent: {error}") from error
    found: list[ActionSeries | AnswerError] = []
    for one, plan in zip(asked, plans, strict=True):
        if plan.declined:
            found.append(AnswerError("an answer is actions; the policy declines", "no"))
            continue
        if len(plan.actions) < one.count:
            raise BenchmarkError(
                f"the agent plans {len(plan.actions)} actions at once, {one.count} are asked for; set reading: "
                f"{{steps: {len(plan.actions)}}} of the task"
            )
        found.append(with_answer(one, actions=plan.actions[: one.count]))
    return found


def _session(agent: Agent, asked: ActionSeries, seed: int) -> Session:
    """An episode of the agent at the step that is asked about."""
    from embodio.agent.format.observation import read_observation

    reach = max(agent.format.window - 1, agent.format.previous_actions)
    shown = len(asked.observations) - 1
    if shown < min(reach, asked.step):
        raise BenchmarkError(
            f"the agent reads {reach} earlier steps, {shown} are shown; set reading: {{earlier: {reach}}}"
        )
    session = agent.open_session(seed)
    session.reset(asked.instruction, seed)
    moments = [read_observation(agent.format.spec, one) for one in asked.observations]
    for place, moment in enumerate(moments):
        session.observe(moment)
        if place < shown and asked.played is not None:
            session.skip(asked.played[place : place + 1])
    return session
