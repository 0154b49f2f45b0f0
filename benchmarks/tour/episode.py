"""One episode of a tour: what the agent was told, what it saw, how it went, and what it says of actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embodio.agent import Abstained, Agent, Judgement
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.rollouts.told import ToldAloud
from embodio.benchmarks.rollouts.video import EpisodeVideo
from embodio.datasets.tasks.parts.spoken import SpokenInstructions
from embodio.envs import Policy, StepRecord, make_env, run_episode
from embodio.envs.rollout import EpisodeResult
from embodio.model.example import Waveform

_UNDER_WAY = 4  # steps after which actions are judged


@dataclass(frozen=True, eq=False)
class TourEpisode:
    """An episode.

    Attributes:
        instruction: in words.
        heard: float32 [samples] at 16 kHz, what the agent was told in place of the words; None for the words.
        result: how it went.
        first: the observation before the first action.
        last: the one before the last action.
        video: file of the episode.
        judged: a proposed action in words -> the agent's judgement of it.
    """

    instruction: str
    heard: Waveform | None
    result: EpisodeResult
    first: Mapping[str, Any]
    last: Mapping[str, Any]
    video: Path
    judged: Mapping[str, Judgement]


def play_episode(agent: str, env: str, seed: int, spoken: str, out: Path) -> tuple[Agent, TourEpisode]:
    """Loads an agent and plays one episode; afterwards the agent is reset to the instruction in words.

    Args:
        agent: name or folder of a checkpoint.
        env: name of the environment, which words its instructions.
        seed: of the episode.
        spoken: as of `TourConfig`.
        out: folder of the video.

    Raises:
        EnvError: there is no such environment, or the agent was made for another robot.
        AgentError: there is no such agent, or it does not hear.
        DatasetError: nothing that is said means the instruction.
        BenchmarkError: the simulator failed.
    """
    world = make_env(env, render_mode="rgb_array")
    try:
        actor = Agent.load(agent, world.get_wrapper_attr("embodiment"))
        if spoken and not actor.format.config.prompt_sounds:
            raise BenchmarkError(
                f"spoken: {agent} hears no instructions (policy.prompt_sounds=0); give spoken='' for words"
            )
        policy: Policy = ToldAloud(actor, SpokenInstructions(spoken, "held_out")) if spoken else actor
        seen: list[StepRecord] = []
        with EpisodeVideo(
            out, f"episode-{seed}", world.metadata.get("render_fps") or actor.embodiment.control_hz
        ) as film:

            def watch(record: StepRecord) -> None:
                film.add(np.asarray(world.render(), np.uint8))
                seen.append(record)

            result = run_episode(world, policy, seed, watch, abstains=(Abstained,))
            name = film.finish(result.status)
    finally:
        world.close()
    if name is None or result.status == "error":
        what = "it refused to act" if result.status == "abstained" else "the simulator failed"
        raise BenchmarkError(f"seed {seed}: {what}: {result.message}; try another seed")
    words = str(seen[0].observation["instruction"])
    heard = policy.heard if isinstance(policy, ToldAloud) else None
    actor.reset(instruction=words)
    judged = _judged(actor, seen[min(_UNDER_WAY, len(seen) - 1)].observation)
    first, last = seen[0].observation, seen[-1].observation
    return actor, TourEpisode(words, heard, result, first, last, out / name, judged)


def _judged(agent: Agent, observation: Mapping[str, Any]) -> dict[str, Judgement]:
    """What the agent says of its own action, and of the opposite one, at one moment; nothing where it has none."""
    try:
        own = agent.plan(observation)[0].astype(np.float64)
    except Abstained:
        return {}
    low, high = (np.array([getattr(d, end) for d in agent.embodiment.action.dimensions]) for end in ("low", "high"))
    proposals = {"its own action": own, "the opposite action": low + high - own}
    return {name: agent.judge(action, observation) for name, action in proposals.items()}
