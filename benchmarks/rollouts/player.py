"""One environment and one policy that play episodes one after the other, in this process or in a worker."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from embodio.agent import Abstained, Agent
from embodio.benchmarks.peers.peer_policy import PeerPolicy, is_peer
from embodio.benchmarks.rollouts.latency import TimedPolicy
from embodio.benchmarks.rollouts.summary import EpisodeRow
from embodio.benchmarks.rollouts.told import ToldAloud, ToldOtherwise
from embodio.benchmarks.rollouts.video import EpisodeVideo
from embodio.datasets.episodes.recorded.prompt import has_prompts
from embodio.datasets.recording.collection_store import CollectedEpisode, stage
from embodio.datasets.recording.recording import EpisodeRecorder
from embodio.datasets.tasks.parts.spoken import SpokenInstructions
from embodio.envs import Policy, StepRecord, make_env, make_expert, run_episode
from embodio.envs.embodiment import Embodiment
from embodio.envs.registry import is_own
from embodio.envs.rollout import EpisodeResult, OnStep

EXPERT = "expert"
VIDEOS = "videos"


@dataclass(frozen=True)
class PlayerConfig:
    """Everything that decides how an episode goes, and where its video goes.

    Attributes:
        agent: Name or folder of a checkpoint, folder of a peer, or "expert" for the environment's scripted expert.
        env: Name of the environment.
        horizon: Steps after which an episode is cut off; None for the environment's own.
        replan: Actions played before the agent plans again; None for the agent's own.
        device: Where the network runs.
        threads: Threads of the network.
        seed: Seed of the first episode.
        video: Whether episodes may be filmed.
        folder: Where the folder of videos is.
        staging: Where recorded episodes wait to become a data set; None records none.
        perturb: Perturbations of every episode, in full; "" for none.
        robot: Robot of the agent by its name; "" picks by the environment.
        spoken: Folder of instructions read aloud that the agent hears in place of words; "" for words.
        instruction: Words in place of the environment's instruction; "" for that of the environment.
    """

    agent: str
    env: str
    horizon: int | None
    replan: int | None
    device: str
    threads: int
    seed: int
    video: bool
    folder: Path
    staging: Path | None = None
    perturb: str = ""
    robot: str = ""
    spoken: str = ""
    instruction: str = ""


@dataclass(frozen=True)
class Played:
    """An episode's row of results and the times of its actions in milliseconds."""

    row: EpisodeRow
    milliseconds: list[float]


class Player:
    """Plays episodes by their seeds.

    Raises:
        EnvError: There is no such environment, or the agent was made for another robot.
        AgentError: There is no such agent.
        PeerError: The agent is a peer that does not start.
    """

    def __init__(self, config: PlayerConfig) -> None:
        torch.set_num_threads(config.threads)
        self._config = config
        options: dict[str, Any] = {"horizon": config.horizon} if config.horizon is not None else {}
        if config.agent == EXPERT and config.staging is None and not is_own(config.env):
            options["cameras"] = False
        if config.video:
            options["render_mode"] = "rgb_array"
        if config.perturb:
            options["perturb"] = config.perturb
        self._env = make_env(config.env, **options)
        self._untimed, self.info = self._load()
        self._told: ToldAloud | None = None
        if config.spoken:
            self._told = ToldAloud(self._untimed, SpokenInstructions(config.spoken, "held_out"))
        policy = ToldOtherwise(self._untimed, config.instruction) if config.instruction else self._untimed
        self._policy = TimedPolicy(self._told or policy)

    @property
    def embodiment(self) -> Embodiment:
        """The robot of the environment."""
        embodiment: Embodiment = self._env.get_wrapper_attr("embodiment")
        return embodiment

    @property
    def prompts(self) -> bool:
        """Whether the environment's instructions may hold more than words."""
        return has_prompts(self._env.observation_space)

    def _load(self) -> tuple[Policy, dict[str, Any]]:
        """The policy, and what identifies it."""
        config = self._config
        if config.agent == EXPERT:
            return make_expert(config.env, self._env), {"kind": "scripted expert", "sha256": {}}
        if is_peer(config.agent):
            peer = PeerPolicy(Path(config.agent), self.embodiment)
            return peer, peer.info
        agent = Agent.load(config.agent, self.embodiment, config.replan, config.device, robot=config.robot or None)
        return agent, dict(agent.info)

    def play(self, seed: int, film: bool) -> Played:
        """Plays the episode with this seed, filmed or not."""
        self._policy.forget()
        if self._told is not None:
            self._told.number = seed - self._config.seed
        with self._video(seed, film) as video:
            recorder = self._recorder()
            watch = self._watcher(video, recorder)
            result = run_episode(self._env, self._policy, seed, on_step=watch, abstains=(Abstained,))
            name = None if video is None else video.finish(result.status)
        if recorder is not None and result.status not in ("abstained", "error"):
            self._stage(result, recorder)
        row = EpisodeRow(
            seed,
            result.status,
            result.steps,
            round(result.seconds, 3),
            result.message,
            name,
            result.first_success,
            result.task,
            result.path,
            result.shortest,
        )
        return Played(row, self._policy.milliseconds)

    def _recorder(self) -> EpisodeRecorder | None:
        if self._config.staging is None:
            return None
        return EpisodeRecorder(self._untimed, self.embodiment, prompts=self.prompts)

    @contextlib.contextmanager
    def _video(self, seed: int, film: bool) -> Iterator[EpisodeVideo | None]:
        """The video of this episode; None if it is not filmed."""
        config = self._config
        if not film:
            yield None
            return
        stem = f"{config.env}-{Path(config.agent).name}-seed{seed}"
        with EpisodeVideo(
            config.folder / VIDEOS, stem, fps=self._env.metadata.get("render_fps") or self.embodiment.control_hz
        ) as video:
            yield video

    def _watcher(self, video: EpisodeVideo | None, recorder: EpisodeRecorder | None) -> OnStep:
        """The callback for every step."""

        def watch(record: StepRecord) -> None:
            if video is not None:
                video.add(np.asarray(self._env.render(), np.uint8))
            if recorder is not None:
                recorder(record)

        return watch

    def _stage(self, result: EpisodeResult, recorder: EpisodeRecorder) -> None:
        """Stages the record of an episode, from which the parent makes a data set."""
        config = self._config
        record = recorder.encode(result, environment=config.env, agent=config.agent)
        index, seconds = result.seed - config.seed, round(result.seconds, 3)
        row = CollectedEpisode(index, result.seed, 0.0, result.status, result.steps, seconds, kept=True)
        if config.staging is not None:
            stage(config.staging, row, record)

    def close(self) -> None:
        """Stops the simulator, and the process of a peer."""
        self._env.close()
        if isinstance(self._untimed, PeerPolicy):
            self._untimed.close()
