"""embodio-rollout: episodes of an agent in an environment, and a report on how often it succeeds."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodio.agent.errors import AgentError
from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.engines import EngineError
from embodio.datasets.errors import DatasetError
from embodio.datasets.files.shards import JobShard
from embodio.envs.errors import EnvError
from embodio.envs.perturbing.conditions import conditions
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run
from embodio.train.command_line.job_settings import require_conditions, require_shard
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, require_ranges
from embodio.train.command_line.schema import UsageError


@dataclass(frozen=True)
class RolloutConfig:
    """Settings of a rollout.

    Attributes:
        agent: Name (embodio-nano, lift-nano, robots-nano) or folder of a checkpoint, folder or name of released weights
            with `robot`, folder of a peer that `embodio-benchmark suite=peers` trained, or "expert" for the
            environment's scripted expert.
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
        engine: Who plays, local (processes of this machine) or ray (a cluster, which shares the folders).
        perturb: Perturbations of the episodes, such as camera:3 or light; "+" joins what is applied together, "," plays
            one after the other and makes a table of robustness, all plays each that the environment can have. "" plays
            none.
        level: Level, 1 to 5, of perturbations without one of their own.
        shard: Part of the episodes that this command plays, such as 2/8 for every eighth from the second on, in a
            folder inside `out`; `embodio-rollout merge` makes one rollout of all. "" plays all.
        restart: Discard what the folder holds instead of resuming it.
        spoken: Folder of instructions read aloud, such as corpus/commands/validation, or lift-aloud, which ships. The
            agent hears one of them, said by a held-out voice, in place of the words. "" tells it in words.
        robot: The robot of released weights to act as (vima, ...), or of a checkpoint by its name; "" picks by the
            environment.
        instruction: What the agent is asked for in every episode in place of the environment's instruction, such as a
            thing that the scene lacks, to see whether it abstains. "" leaves it.
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
    engine: str = "local"
    perturb: str = ""
    level: int = 3
    shard: str = ""
    restart: bool = False
    spoken: str = ""
    robot: str = ""
    instruction: str = ""

    def __post_init__(self) -> None:
        require_ranges(self, episodes=AT_LEAST_ONE, seed=COUNT, video=COUNT, workers=AT_LEAST_ONE, threads=COUNT)
        require_ranges(self, replan=AT_LEAST_ONE, horizon=AT_LEAST_ONE)
        if self.shard:
            require_shard(self.shard)
        require_conditions(self.perturb, self.level)
        if self.instruction and (self.spoken or self.record):
            other = (
                "spoken: the agent is told in one way" if self.spoken else "record: it notes what the environment asks"
            )
            raise UsageError(f"instruction, {other}; leave one of the two out")

    @property
    def in_workers(self) -> bool:
        """Whether others than this process play."""
        return self.workers > 1 or self.engine != "local"

    @property
    def identity(self) -> dict[str, str | int | None]:
        """The settings that decide how an episode goes, and the shard; all episodes of a folder share them."""
        names = ("agent", "env", "seed", "replan", "horizon", "device")
        shard = {"shard": self.shard, "episodes": self.episodes} if self.shard else {}
        spoken = {name: getattr(self, name) for name in ("spoken", "instruction") if getattr(self, name)}
        perturbed = {"perturb": self.condition} if self.perturb else {}
        robot = {"robot": self.robot} if self.robot else {}
        return {name: getattr(self, name) for name in names} | robot | perturbed | spoken | shard

    @property
    def condition(self) -> str:
        """The perturbations of every episode, in full, such as "camera:3+light:3"; "" for none."""
        return next(iter(conditions(self.perturb, self.level)), "")

    @property
    def seeds(self) -> list[int]:
        """The seeds of the episodes that this command plays."""
        pieces = JobShard.of(self.shard).indices(self.episodes) if self.shard else range(self.episodes)
        return [self.seed + index for index in pieces]

    @property
    def folder(self) -> Path:
        """Where results, report and videos go: `out`, or the folder of the shard in it."""
        return self._of_shard(self.out)

    @property
    def record_folder(self) -> Path | None:
        """Where episodes are recorded: `record`, or the folder of the shard in it."""
        return None if self.record is None else self._of_shard(self.record)

    def _of_shard(self, folder: Path) -> Path:
        return folder / JobShard.of(self.shard).folder if self.shard else folder

    @property
    def command(self) -> str:
        """The command line that gives the same episodes."""
        names = ("agent", "env", "episodes", "seed", "replan", "horizon", "video")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        unusual = ("robot", "perturb", "spoken", "instruction", "shard")
        given |= {name: getattr(self, name) for name in unusual if getattr(self, name)}
        given |= {"level": self.level} if self.perturb else {}
        return shlex.join(["embodio-rollout", *(f"{name}={value}" for name, value in given.items()), f"out={self.out}"])


def _main(config: RolloutConfig) -> None:
    from embodio.benchmarks.rollouts.play import rollout
    from embodio.benchmarks.rollouts.robustness import play_each

    if len(conditions(config.perturb, config.level)) > 1:
        play_each(config)
        return
    results = rollout(config)
    broken = [row for row in results.rows if row.status == "error"]
    if config.record is not None and broken:
        raise BenchmarkError(
            f"{len(broken)} of {len(results.rows)} episodes are missing from {config.record_folder}, as the simulator "
            f"broke down. Seed {broken[0].seed}: {broken[0].message}. restart=true plays all of them again"
        )


VERBS = {
    "list": "embodio.train.commands.envs",
    "compare": "embodio.benchmarks.rollouts.comparison.command",
    "robustness": "embodio.benchmarks.rollouts.robustness",
    "merge": "embodio.benchmarks.rollouts.merging",
}
"""First word of a command line that does something else -> the module of it, which has `main`."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command `embodio-rollout`; returns its exit code. `embodio-rollout list` shows the environments."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] and arguments[0] in VERBS:
        code: int = importlib.import_module(VERBS[arguments[0]]).main(arguments[1:])
        return code
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
            "embodio-rollout agent=lift-nano episodes=20 perturb=all level=3 out=runs/robustness",
            "embodio-rollout agent=downloads/uio2-large robot=vima env=vima/rotate episodes=20 out=runs/released",
            "embodio-rollout list",
            "embodio-rollout compare runs/lift-nano runs/expert",
        ),
        user_errors=(EnvError, AgentError, ModelError, BenchmarkError, DatasetError, EngineError),
    )
