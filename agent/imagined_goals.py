"""ImaginedGoals: an agent that generates its own goal images, and follows each for several plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.agent import Agent
from embodio.agent.errors import AgentError, CannotDo, ObservationError
from embodio.agent.format.observation import Observation, batch_size, split_batch
from embodio.model.generation.sampling import part_seed

Pixels = npt.NDArray[np.uint8]


class ImaginedGoals:
    """Acts with goals that the same network imagines, for policies that read a goal image.

    Example:
        >>> agent = ImaginedGoals(Agent.load("my-policy"), every=5)
        >>> agent.reset(instruction="put the cup on the shelf", seed=0)
        >>> action = agent.act(observation)  # the observation needs no "goal"
        >>> agent.goals[0]  # what it is working towards

    Args:
        agent: the agent; it shares its rows and can still `act` directly.
        every: number of plans for each goal.
        guidance: see `Agent.imagine`.

    Raises:
        CannotDo: the policy reads no goal image.
        AgentError: `every` is below 1.
    """

    def __init__(self, agent: Agent, every: int = 5, guidance: float = 0.0) -> None:
        if not agent.format.config.goal_image:
            raise CannotDo(
                "goal_image: this policy reads no goal, so imagined ones do not help it; train one that does"
            )
        if every < 1:
            raise AgentError(f"every: got {every}, expected at least 1 plan")
        self.agent, self.every, self.guidance = agent, every, guidance
        self._spec = replace(agent.format.spec, goal_image=False)
        self._seeds: list[int] = [0]
        self._plans: list[int] = [0]
        self.goals: list[Pixels | None] = [None]

    def reset(
        self,
        instruction: Any = None,
        *,
        seed: int | Sequence[int] | None = None,
        rows: npt.ArrayLike | None = None,
    ) -> None:
        """Like `Agent.reset`, and forgets the goals of the rows. Goals are sampled with the seeds of the rows."""
        self.agent.reset(instruction, seed=seed, rows=rows)
        seeds = [session.seed for session in self.agent.sessions]
        fresh = np.ones(len(seeds), dtype=np.bool_) if rows is None else np.asarray(rows)
        kept = list(zip(self._plans, self.goals, strict=True)) + [(0, None)] * len(seeds)
        self._seeds = seeds
        self._plans = [0 if fresh[row] else kept[row][0] for row in range(len(seeds))]
        self.goals = [None if fresh[row] else kept[row][1] for row in range(len(seeds))]

    def act(self, observation: Observation) -> npt.NDArray[np.float32]:
        """The next action, like `Agent.act`; imagines a new goal first where one is due.

        Args:
            observation: as for `Agent.act`, without "goal".
        """
        count = batch_size(self._spec, observation)
        parts = [observation] if count is None else split_batch(self._spec, observation, count)
        sessions = self.agent.sessions
        if len(parts) != len(sessions):
            raise ObservationError(
                f"observation: {len(parts)} rows were given, but the agent was reset with {len(sessions)}; reset it "
                "with one instruction per row"
            )
        due = [session.needs_plan for session in sessions]
        for row, part in enumerate(parts):
            if due[row] and self._plans[row] % self.every == 0:
                seed = part_seed(self._seeds[row], self._plans[row])
                goal = self.agent.imagine(None, part, seed=seed, guidance=self.guidance, row=row)
                # The goal is imagined as the policy sees frames, already cropped, so it must not be cropped again.
                self.goals[row] = sessions[row].imagined = goal
        goals = [goal for goal in self.goals if goal is not None]
        action = self.agent.act({**observation, "goal": goals[0] if count is None else np.stack(goals)})
        self._plans = [plans + int(planned) for plans, planned in zip(self._plans, due, strict=True)]
        return action
