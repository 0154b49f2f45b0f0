"""The episodes of a tour: it does what it is told, is asked for what is not there, and judges actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embodio.agent import Abstained, Agent, Judgement
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.rollouts.told import ToldAloud, ToldOtherwise
from embodio.benchmarks.rollouts.video import EpisodeVideo
from embodio.datasets.corpus.robots.photographer import Photographer, Shot
from embodio.datasets.corpus.robots.stage import STAGES
from embodio.datasets.tasks.parts.spoken import SpokenInstructions
from embodio.envs import Policy, StepRecord, make_env, run_episode
from embodio.envs.robosuite.embodiments import simulator_cameras
from embodio.envs.robosuite.env import RobosuiteEnv
from embodio.envs.rollout import EpisodeResult
from embodio.model.example import Waveform

_COLOURS: Mapping[str, tuple[str, ...]] = {"Lift": ("red",), "Stack": ("red", "green")}
"""Task of robosuite -> the colours that its things have unless they are painted."""


@dataclass(frozen=True, eq=False)
class TourPlay:
    """One episode.

    Attributes:
        result: how it went.
        steps: what was seen and done.
        video: file of it; None where there was no step.
    """

    result: EpisodeResult
    steps: Sequence[StepRecord]
    video: Path | None


@dataclass(frozen=True, eq=False)
class TourEpisode:
    """What the agent did.

    Attributes:
        instruction: in words.
        heard: float32 [samples] at 16 kHz, what the agent was told in place of the words; None for the words.
        said: the words of `heard`.
        result: how it went.
        first: the observation before the first action.
        last: the one before the last action.
        video: file of the episode.
        judged: a proposed first action in words -> the agent's judgement of it.
        known: what the simulator knows of the first frame; None where it is not one that is understood.
        absent: the episode of something that is not there; None where nothing was asked for.
    """

    instruction: str
    heard: Waveform | None
    said: str
    result: EpisodeResult
    first: Mapping[str, Any]
    last: Mapping[str, Any]
    video: Path
    judged: Mapping[str, Judgement]
    known: Shot | None
    absent: TourPlay | None


def play_episode(agent: str, env: str, seed: int, spoken: str, absent: str, out: Path) -> tuple[Agent, TourEpisode]:
    """Loads an agent and plays both episodes; afterwards the agent is reset to the instruction in words.

    Args:
        agent: name or folder of a checkpoint.
        env: name of the environment, which words its instructions.
        seed: of the episodes; it also says which voice is heard.
        spoken: as of `TourConfig`.
        absent: as of `TourConfig`.
        out: folder of the videos.

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
        voices = SpokenInstructions(spoken, "held_out") if spoken else None
        policy: Policy = actor if voices is None else ToldAloud(actor, voices, seed)
        played = _played(world, policy, seed, out, f"episode-{seed}")
        result, steps, video = played.result, played.steps, played.video
        if video is None or result.status == "error":
            what = "it refused to act" if result.status == "abstained" else "the simulator failed"
            raise BenchmarkError(f"seed {seed}: {what}: {result.message}; try another seed")
        words = str(steps[0].observation["instruction"])
        otherwise = _played(world, ToldOtherwise(actor, absent), seed, out, f"absent-{seed}") if absent else None
        world.reset(seed=seed)
        known = known_of(world, actor.format.cameras[0].name)
    finally:
        world.close()
    heard = policy.heard if isinstance(policy, ToldAloud) else None
    said = "" if voices is None else voices.words(words, seed)
    first, last = steps[0].observation, steps[-1].observation
    judged = _judged(actor, words, first)
    return actor, TourEpisode(words, heard, said, result, first, last, video, judged, known, otherwise)


def _played(world: Any, policy: Policy, seed: int, out: Path, name: str) -> TourPlay:
    """Plays and films one episode."""
    steps: list[StepRecord] = []
    rate = world.metadata.get("render_fps") or world.get_wrapper_attr("embodiment").control_hz
    with EpisodeVideo(out, name, rate) as film:

        def watch(record: StepRecord) -> None:
            film.add(np.asarray(world.render(), np.uint8))
            steps.append(record)

        result = run_episode(world, policy, seed, watch, abstains=(Abstained,))
        file = film.finish(result.status)
    return TourPlay(result, steps, None if file is None else out / file)


def _judged(agent: Agent, words: str, observation: Mapping[str, Any]) -> dict[str, Judgement]:
    """What the agent says of its own first action, and of the opposite one; nothing where it has none."""
    agent.reset(instruction=words)
    try:
        own = agent.plan(observation)[0].astype(np.float64)
    except Abstained:
        return {}
    finally:
        agent.reset(instruction=words)
    low, high = (np.array([getattr(d, end) for d in agent.embodiment.action.dimensions]) for end in ("low", "high"))
    proposals = {"its own action": own, "the opposite action": low + high - own}
    return {name: agent.judge(action, observation) for name, action in proposals.items()}


def known_of(world: Any, camera: str) -> Shot | None:
    """What is known of the frame that a camera sees now; None where the simulator is not one that is understood.

    Args:
        world: an environment at the first moment of an episode.
        camera: name of the camera in observations.

    Raises:
        SimulatorError: it cannot be rendered.
    """
    env = world.unwrapped
    if not isinstance(env, RobosuiteEnv) or env.task.class_name not in STAGES:
        return None
    if env.task.arms != 1 or not env.task.gripper:
        return None
    size = next(one.height for one in env.embodiment.cameras if one.name == camera)
    colours = iter(_COLOURS.get(env.task.class_name, ()))
    things = STAGES[env.task.class_name]
    names = tuple(wording.format(next(colours)) if "{}" in wording else wording for wording in things.values())
    return Photographer(env.simulator, tuple(things)).shot(simulator_cameras(env.task)[camera], size, names, False)
