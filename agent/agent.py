"""Agent: maps observations to actions, for one environment or a vector of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from embodio.agent.answers import ActionResult
from embodio.agent.beyond_acting import BeyondActing
from embodio.agent.checkpoint import Checkpoint, load_checkpoint
from embodio.agent.errors import AgentError, NotReset, ObservationError
from embodio.agent.format.arrays import seeds_of_rows, to_array, to_number
from embodio.agent.format.instruction import instructions_of_rows
from embodio.agent.format.observation import (
    Observation,
    about_row,
    batch_size,
    blank_observation,
    read_observation,
    read_rows,
)
from embodio.agent.format.robot_formats import OTHER_ROBOT
from embodio.agent.options import AgentOptions
from embodio.agent.planning.ensemble import Ensemble
from embodio.agent.planning.precision import usable_device
from embodio.agent.planning.result import Distributions, Played, legal_mass
from embodio.agent.planning.runtime import Runtime
from embodio.agent.planning.session import Session
from embodio.agent.released.loading import load_robot
from embodio.envs.embodiment import Embodiment
from embodio.model.example import Example

Floats = npt.NDArray[np.float32]
MOST_ROWS = 4096
"""Largest number of rows of `warmup`."""


class Agent(BeyondActing):
    """A policy for a gymnasium loop, including history, chunks, normalisation and constrained decoding.

    Example:
        >>> import gymnasium, embodio.envs
        >>> from embodio.agent import Agent
        >>> env = gymnasium.make("embodio/robosuite-lift-v0")
        >>> agent = Agent.load("lift-nano", embodiment=env.unwrapped.embodiment)
        >>> observation, info = env.reset(seed=10000)
        >>> agent.reset(instruction=observation["instruction"])
        >>> observation, reward, terminated, truncated, info = env.step(agent.act(observation))

    Vector environments work the same way: `agent.reset(instruction=observations["instruction"])` with N instructions
    starts N episodes, `act` takes the batch of observations and returns float32 [N, A], and
    `agent.reset(instruction=..., rows=terminated | truncated)` restarts rows when the environment does; by default
    gymnasium's vector environments do so one step after the end. Row i acts, bit for bit, as a separate agent would.

    The agent also has the verbs `describe`, `ask`, `imagine` and `judge`, see `BeyondActing`.

    Args:
        checkpoint: network and policy format.
        embodiment: embodiment of the environment to act in, or the name of one of the checkpoint's robots; selects
            that robot. None selects the only one, or the default.
        replan: number of actions of a chunk played before the next is predicted, 1 to the chunk's length.
        device: device of the network.
        options: all other options.

    Raises:
        EmbodimentMismatch: if the checkpoint was not made for the robot; names its robots, each field in which the
            nearest differs, both values and the remedy.
        CheckpointError: if several robots match; names them.
        AgentError: if `replan` is out of range or given twice, or no ensemble can be made, see `Ensemble`.
        PrecisionError: if this machine lacks the device, or cannot run the precision of the options.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        embodiment: Embodiment | str | None = None,
        replan: int | None = None,
        device: str | torch.device = "cpu",
        options: AgentOptions | None = None,
    ) -> None:
        options = AgentOptions(replan=replan) if options is None else options
        if replan is not None and options.replan != replan:
            raise AgentError("replan: given as well as options; set it in one of the two places")
        self.robot = checkpoint.robots.pick(embodiment)
        self.options, self.checkpoint, self.format = options, checkpoint, checkpoint.robots[self.robot]
        self.replan = options.replan_of(self.format.chunk, self.format.whole_episode)
        self.device = usable_device(device)
        self.model = checkpoint.model.to(self.device).eval()
        action, decay = self.embodiment.action, options.ensemble
        self._ensemble = None if decay is None else Ensemble(action, decay)
        self.runtime = Runtime(self.model, self.format, options)
        self._distributions = Distributions(self.runtime.model, self.format)
        self._rows = [self.open_session()]

    def __repr__(self) -> str:
        """The robot, the keys it reads, and its settings."""
        about = f"chunk={self.format.chunk}, replan={self.replan}, rows={len(self._rows)}"
        return f"Agent({self.embodiment.name!r}, reads {', '.join(self.observation_keys)}, {about})"

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        embodiment: Embodiment | str | None = None,
        replan: int | None = None,
        device: str | torch.device = "cpu",
        options: AgentOptions | None = None,
        *,
        robot: str | None = None,
    ) -> Agent:
        """Loads a checkpoint folder, one that ships with the package such as "lift-nano", or released weights.

        Args:
            name_or_path: folder, or name.
            embodiment: embodiment of the environment (`env.unwrapped.embodiment`), or a robot's name; see the class.
            replan: see the class.
            device: see the class.
            options: see the class.
            robot: name of a robot of the checkpoint; for released weights, such as "allenai/uio2-large", which of their
                robots to act for: "vima", "language_table", "bridge", "franka_kitchen" or "pointnav". See `load_robot`.

        Raises:
            CheckpointError: if the checkpoint does not exist or is damaged, or has no such robot.
            EmbodimentMismatch: if it was made for other robots.
        """
        if robot is None:
            return cls(load_checkpoint(name_or_path, embodiment), embodiment, replan, device, options)
        return cls(load_robot(name_or_path, robot, embodiment), robot, replan, device, options)

    @property
    def embodiment(self) -> Embodiment:
        """The robot that this agent acts for."""
        return self.format.embodiment

    @property
    def may_abstain(self) -> bool:
        """Whether `act` may raise Abstained."""
        return self.format.config.abstains or self.options.abstain_below is not None

    @property
    def info(self) -> dict[str, Any]:
        """The origin of the weights and their sha256, for reports; `folder` is "" if they were never saved."""
        folder = self.checkpoint.folder
        return {
            "folder": "" if folder is None else str(folder),
            "sha256": {} if folder is None else self.checkpoint.hashes(self.robot),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "chunk": self.format.config.chunk,
            "replan": self.replan,
            **({"robot": self.robot} if self.checkpoint.robots.named else {}),
        }

    def check_embodiment(self, embodiment: Embodiment) -> None:
        """Raises EmbodimentMismatch unless `embodiment` is the robot that this agent acts for."""
        self.embodiment.require_same(embodiment, remedy=OTHER_ROBOT)

    def reset(
        self,
        instruction: Any = None,
        *,
        seed: int | Sequence[int] | None = None,
        rows: npt.ArrayLike | None = None,
    ) -> None:
        """Starts an episode, or N of them: forgets history and planned actions.

        Args:
            instruction: what the robot should do: text, speech, or a list of texts, images and sounds, see
                `read_instruction`; None keeps the previous one. A tuple of N instructions, as from a vector
                environment, starts N rows.
            seed: seed of the random numbers at a temperature above 0: one per row, or s for s, s + 1, ...; None keeps
                it.
            rows: bool [N], which rows to reset; None for all.

        Raises:
            ObservationError: if an instruction cannot be read, or the numbers of rows differ; no row is then reset.
        """
        many = instructions_of_rows(instruction)
        kept = self._rows
        if rows is None:
            count = len(many) if many is not None else (len(kept) if instruction is None else 1)
            kept = [*kept[:count], *(self.open_session(seed=index) for index in range(len(kept), count))]
        mask = np.ones(len(kept), dtype=np.bool_) if rows is None else to_array("rows", rows)
        if not kept or mask.dtype != np.bool_ or mask.shape != (len(kept),):
            raise ObservationError(f"rows: expected bool [{max(1, len(kept))}], got {mask.dtype} {list(mask.shape)}")
        if many is not None and len(many) != len(kept):
            raise ObservationError(f"instruction: {len(many)} were given for {len(kept)} rows")
        seeds = seeds_of_rows(seed, len(kept))
        given = [many[index] if many is not None else instruction for index in range(len(kept))]
        begun = [int(index) for index in np.flatnonzero(mask)]
        read = []
        for index in begun:
            with about_row(index if many is not None else None):
                read.append(None if given[index] is None else kept[index].read_instruction(given[index]))
        for index, words in zip(begun, read, strict=True):
            kept[index].begin(words, seeds[index])
        self._rows = kept

    def open_session(self, seed: int = 0) -> Session:
        """A new episode for `act_sessions`, separate from those of `reset` and `act`."""
        return Session(self.format, self.replan, self._ensemble, seed, self.model.config.lengths.encoder_text)

    def fork(self) -> Agent:
        """An agent with the same network and options but separate episodes; a server has one per client."""
        twin = copy.copy(self)
        twin._rows = [self.open_session()]
        return twin

    def act(self, observation: Observation) -> Floats:
        """The next action, float32 [A], or [N, A] for a batch; always finite and inside the embodiment's limits.

        Args:
            observation: observation of the environment: one image per camera, `state`, and all else that the policy
                reads, see `observation_keys`; arrays [N, ...] for a vector environment.

        Raises:
            NotReset: if no instruction was ever given.
            ObservationError: names the field that is missing or malformed, and what was expected.
            Abstained: if the options ask for it and the action's legal mass is too low.
            Declined: an Abstained, if the policy can abstain (`PolicyConfig.abstains`) and does.
        """
        count, sessions, moments = self.read(observation)
        actions = self._act(sessions, moments)
        return actions[0] if count is None else np.stack(actions)

    def decide(self, observation: Observation) -> ActionResult | list[ActionResult]:
        """Like `act`, but returns all that is known about the action; one result per row for a batch.

        An agent that abstains sets `ActionResult.abstained` instead of raising.
        """
        count, sessions, moments = self.read(observation)
        results = self._results(sessions, self._step(sessions, moments))
        for session in sessions:
            session.advance()
        return results[0] if count is None else results

    def act_sessions(
        self, sessions: Sequence[Session], observations: Sequence[Observation], *, checked: bool = False
    ) -> list[Floats]:
        """The next action of each session, float32 [A]; sessions that need a plan are planned together.

        Args:
            sessions: from `open_session`, each reset with an instruction, or from `read`.
            observations: one per session.
            checked: whether the observations come from `read`.

        Raises:
            Abstained: as for `act`.
        """
        moments = list(observations) if checked else [read_observation(self.format.spec, o) for o in observations]
        return self._act(sessions, [dict(moment) for moment in moments])

    def plan(self, observation: Observation) -> Floats | list[Floats]:
        """All actions of a chunk at once, float32 [K, A] or [N, K, A], to be played open-loop.

        A policy of whole episodes decides how many there are, and returns a list of N arrays [n, A] for a batch. The
        observation counts as the current step of the episode; a later `act` continues after the plan. Raises as `act`.
        """
        count, sessions, moments = self.read(observation)
        earlier = [session.twin() for session in sessions] if self.may_abstain else []
        for session, moment in zip(sessions, moments, strict=True):
            session.observe(moment)
        plans = self.runtime.plan(sessions, whole_chunk=True)
        if earlier:
            self._require_trust("plan", sessions, earlier, [(plan, range(len(plan.actions))) for plan in plans])
        actions = [plan.actions.copy() for plan in plans]
        for session, played in zip(sessions, actions, strict=True):
            session.skip(played)
        if count is None:
            return actions[0]
        return actions if self.format.whole_episode else np.stack(actions)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The episodes of `reset` and `act`, one per row, for inspection."""
        return tuple(self._rows)

    @property
    def observation_keys(self) -> list[str]:
        """The required keys of an observation."""
        return self.format.spec.keys

    def warmup(self, rows: int = 1) -> None:
        """Runs the network on a blank observation, so that the first real step is as fast as the others.

        Args:
            rows: number of observations that `act` will be given at once.
        """
        moment = blank_observation(self.format.spec)
        sessions = [self.open_session() for _ in range(int(to_number("rows", rows, 1, MOST_ROWS, whole=True)))]
        for session in sessions:
            session.reset("warm up")
        for _ in range(2):
            for session in sessions:
                session.reset()
            self._step(sessions, [dict(moment) for _ in sessions])
        self.runtime.times.forget()

    def latency(self) -> dict[str, dict[str, float]]:
        """p50, p95 and p99 in milliseconds of each stage of planning, over the last few thousand plans."""
        return self.runtime.times.percentiles()

    def example(self, row: int = 0) -> Example:
        """The Example of the current step.

        Raises:
            NotReset: if there is no instruction, or nothing was observed since the reset.
        """
        return self._rows[row].example()

    def read(self, observation: Observation) -> tuple[int | None, list[Session], list[dict[str, Any]]]:
        """Checks an observation for `act` without changing any episode.

        Returns:
            N for a batch or None, the sessions of the rows, and the converted observation of each.

        Raises:
            NotReset: if no instruction was ever given.
            ObservationError: as for `act`.
        """
        unset = [index for index, session in enumerate(self._rows) if session.instruction is None]
        if unset:
            where = f" for rows {unset}" if len(self._rows) > 1 else ""
            raise NotReset(f"act: there is no instruction yet{where}; call agent.reset(instruction=...) first")
        spec = self.format.spec
        count = batch_size(spec, observation)
        if count is None:
            if len(self._rows) != 1:
                raise ObservationError(
                    f"observation: one was given, but the agent was reset with {len(self._rows)} instructions; give "
                    "a batch, or reset with one"
                )
            return None, self._rows, [read_observation(spec, observation)]
        rows = self._rows
        if count != len(rows):
            if len(rows) != 1 or rows[0].window:
                raise ObservationError(
                    f"observation: {count} rows were given, but the agent was reset with {len(rows)}; reset it "
                    "with one instruction per row"
                )
            rows = [rows[0], *(self.open_session(seed=index) for index in range(1, count))]
            for session in rows[1:]:
                session.begin(rows[0].instruction, None)
        moments = read_rows(spec, observation, count)
        self._rows = rows
        return count, rows, moments

    def _act(self, sessions: Sequence[Session], moments: Sequence[dict[str, Any]]) -> list[Floats]:
        """Takes a step and returns its actions; raises Abstained with all sessions unchanged."""
        earlier = [session.twin() for session in sessions] if self.may_abstain else []
        actions = self._step(sessions, moments)
        if earlier:
            newest = [session.newest for session in sessions]
            self._require_trust("act", sessions, earlier, [(plan, [position]) for plan, position in newest])
        for session in sessions:
            session.advance()
        return actions

    def _require_trust(
        self, verb: str, sessions: Sequence[Session], earlier: Sequence[Session], played: Sequence[Played]
    ) -> None:
        """Raises Abstained if a row declines, or its legal mass is too low; all rows are restored."""
        asked = [session.instruction for session in sessions]
        rows, why = self._distributions.refused(verb, asked, played, self.options.abstain_below)
        if why is None:
            return
        for index, (session, before) in enumerate(zip(sessions, earlier, strict=True)):
            session.return_to(before, replan=index in rows)
        raise why

    def _step(self, sessions: Sequence[Session], moments: Sequence[dict[str, Any]]) -> list[Floats]:
        """Adds the observations to the sessions, plans where needed, and returns the actions of this step."""
        self.runtime.times.collect()  # discards the times of other verbs
        with self.runtime.times.stage("total"):
            for session, moment in zip(sessions, moments, strict=True):
                session.observe(moment)
            waiting = [session for session in sessions if session.needs_plan]
            if waiting:
                for session, plan in zip(waiting, self.runtime.plan(waiting), strict=True):
                    session.take(plan)
            return [session.action() for session in sessions]

    def _results(self, sessions: Sequence[Session], actions: Sequence[Floats]) -> list[ActionResult]:
        times, results = self.runtime.times.collect(), []
        threshold = self.options.abstain_below
        for session, action in zip(sessions, actions, strict=True):
            plan, position = session.newest
            dimensions = self._distributions(plan, position, self.options.guidance)
            abstained = plan.declined or (threshold is not None and not legal_mass(dimensions) >= threshold)
            able = self._distributions.able(plan, self.options.guidance)
            results.append(ActionResult(action, dimensions, plan.actions.copy(), position, abstained, times, able))
        return results
