"""embodio-rollout: episodes of an agent in an environment, and a report on how often it succeeds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodio.agent.errors import AgentError
from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.errors import CollectionError
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, require_ranges


@dataclass(frozen=True)
class RolloutConfig:
    """Settings of a rollout.

    Attributes:
        agent: Name (lift-nano) or folder of a checkpoint, or "expert" for the environment's scripted expert.
        env: Name of the environment, or module:Class for one of your own.
        episodes: Number of episodes; asking for more later adds to the existing ones.
        seed: Seed of the first episode; episode i uses seed + i.
        out: Folder for results.json, report.html, latency.csv and the videos.
        video: At most this many videos are kept: failures first, then the earliest episodes.
        record: Folder to record episodes as RLDS, with success in their metadata; null records none.
        workers: Processes that play at the same time.
        threads: Threads of the network in each process; 0 takes OMP_NUM_THREADS, or divides the cores.
        replan: Actions played before the agent plans again; null for the agent's own.
        horizon: Steps after which an episode is cut off; null for the environment's own.
        device: Where the network runs, cpu or cuda.
        restart: Discard what the folder holds instead of resuming it.
    """

    out: Path
    agent: str = "lift-nano"
    env: str = "robosuite/lift"
    episodes: int = 100
    seed: int = 10000
    video: int = 3
    record: Path | None = None
    workers: int = 1
    threads: int = 0
    replan: int | None = None
    horizon: int | None = None
    device: str = "cpu"
    restart: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, episodes=AT_LEAST_ONE, seed=COUNT, video=COUNT, workers=AT_LEAST_ONE, threads=COUNT)
        require_ranges(self, replan=AT_LEAST_ONE, horizon=AT_LEAST_ONE)

    @property
    def identity(self) -> dict[str, str | int | None]:
        """The settings that decide how an episode goes; all episodes of a folder share them."""
        names = ("agent", "env", "seed", "replan", "horizon", "device")
        return {name: getattr(self, name) for name in names}

    @property
    def command(self) -> str:
        """The command line that gives the same episodes."""
        names = ("agent", "env", "episodes", "seed", "replan", "horizon", "video")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return shlex.join(["embodio-rollout", *(f"{name}={value}" for name, value in given.items()), f"out={self.out}"])


def _main(config: RolloutConfig) -> None:
    from embodio.benchmarks.rollouts.play import rollout

    results = rollout(config)
    broken = [row for row in results.rows if row.status == "error"]
    if config.record is not None and broken:
        raise BenchmarkError(
            f"{len(broken)} of {len(results.rows)} episodes are missing from {config.record}, as the simulator broke "
            f"down. Seed {broken[0].seed}: {broken[0].message}. restart=true plays all of them again"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """The command `embodio-rollout`; returns its exit code. `embodio-rollout list` shows the environments."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["list"]:
        from embodio.train.commands.envs import main as list_environments

        return list_environments(arguments[1:])
    return run(
        RolloutConfig,
        _main,
        arguments,
        prog="embodio-rollout",
        description="Plays an agent in an environment and reports how often it succeeds, with videos.",
        examples=(
            "embodio-rollout agent=lift-nano env=robosuite/lift episodes=100 seed=10000 video=3 out=runs/lift-nano",
            "embodio-rollout agent=lift-nano episodes=20 record=data/lift_nano out=runs/recorded",
            "embodio-rollout agent=expert episodes=20 out=runs/expert",
            "embodio-rollout list",
        ),
        user_errors=(EnvError, AgentError, ModelError, BenchmarkError, CollectionError),
    )
