"""`embodio-collect`: records scripted demonstrations as an RLDS data set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from embodio.agent.errors import AgentError
from embodio.datasets.errors import DatasetError
from embodio.envs.errors import EnvError
from embodio.train.command_line.arguments import with_list
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.job_settings import conditions_here, require_conditions, require_out, require_shard
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import UsageError

if TYPE_CHECKING:
    from embodio.datasets.recording.learner import Learner
    from embodio.envs.embodiment import Embodiment
    from embodio.envs.policy import Policy


@dataclass(frozen=True)
class CollectConfig:
    """Settings of `embodio-collect`.

    Attributes:
        out: folder of the data set; a collection that was interrupted there resumes.
        env: environment, such as robosuite/lift, or module:Class for one of your own that has expert().
        episodes: number of episodes; asking for more later extends the data set.
        seed: of the first episode; episode i uses seed + i.
        noise: standard deviations of the noise on executed actions, as fractions of half the range of each dimension;
            episodes take them in turn.
        workers: processes that record at the same time.
        keep_failures: keep episodes in which the expert failed.
        randomise: perturbations for domain randomisation, such as camera,light,wording, each drawn for every episode
            from none up to its level; all means all that the environment can have. "" randomises nothing.
        level: highest level, 1 to 5, of perturbations without one of their own, as in camera:5,light.
        engine: who plays, local (processes of this machine) or ray (a cluster, which shares the folder).
        shard: part of the episodes that this command records, such as 2/8 for every eighth from the second on, in a
            folder inside `out`; `embodio-collect merge` makes one data set of all. "" records all.
        agent: checkpoint that plays the first steps of each episode before the expert takes over (DAgger), so that
            demonstrations begin where it gets to by itself; "" for none.
        takeover: highest number of steps that the agent plays; each episode draws its own.
        record_agent: record the agent's steps, too, labelled with what the expert would do; only for formats of one
            action at a time, as later labels do not follow from earlier ones there.
    """

    out: str
    env: str = "robosuite/lift"
    episodes: int = 200
    seed: int = 0
    noise: tuple[float, ...] = (0.0, 0.2, 0.4)
    workers: int = 2
    keep_failures: bool = False
    randomise: str = ""
    level: int = 3
    engine: str = "local"
    shard: str = ""
    agent: str = ""
    takeover: int = 100
    record_agent: bool = False

    def __post_init__(self) -> None:
        require_ranges(
            self, episodes=AT_LEAST_ONE, seed=COUNT, noise=NOT_NEGATIVE, workers=AT_LEAST_ONE, takeover=AT_LEAST_ONE
        )
        if self.record_agent and not self.agent:
            raise UsageError("record_agent: there is nobody whose steps could be recorded; give agent=")
        if self.shard:
            require_shard(self.shard)
        require_conditions(self.randomise, self.level)


@dataclass(frozen=True)
class MergeDataConfig:
    """Settings of `embodio-collect merge`.

    Attributes:
        folders: the folder out=... that all shards share, or the folders of the shards.
        out: where the whole data set goes; null for the folder, where there is one.
    """

    folders: tuple[str, ...]
    out: str | None = None

    def __post_init__(self) -> None:
        require_out(self.folders, self.out, "data/whole")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-collect`; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["merge"]:
        return run_command(
            MergeDataConfig,
            merge,
            with_list(arguments[1:], "folders"),
            prog="embodio-collect merge",
            description="Makes one data set of its shards; one that is missing, unfinished or there twice is named.",
            examples=("embodio-collect merge data/lift", "embodio-collect merge data/here data/there out=data/whole"),
            user_errors=(DatasetError,),
        )
    return run_command(
        CollectConfig,
        record,
        arguments,
        prog="embodio-collect",
        description="Record demonstrations of a scripted expert as RLDS. Run it again to resume after an interrupt.",
        examples=(
            "embodio-collect env=robosuite/lift episodes=200 seed=0 out=data/lift",
            "embodio-collect episodes=600 randomise=camera,light,wording level=3 out=data/lift_varied",
            "embodio-collect episodes=2000 shard=$SLURM_ARRAY_TASK_ID/8 out=data/lift",
            "embodio-collect agent=runs/lift/checkpoint takeover=60 seed=5000 out=data/lift_corrected",
            "embodio-collect merge data/lift",
        ),
        user_errors=(DatasetError, EnvError, AgentError),
    )


def record(config: CollectConfig) -> int:
    """Records what `config` asks for; returns the exit code."""
    from rich.console import Console

    from embodio.datasets.recording.collect import collect

    chosen = conditions_here(config.env, config.randomise, config.level, config.seed) if config.randomise else ()
    randomise = "+".join(chosen)
    summary = collect(
        config.env,
        config.episodes,
        config.seed,
        config.out,
        noise=config.noise,
        workers=config.workers,
        keep_failures=config.keep_failures,
        env_options={"randomise": randomise} if randomise else None,
        engine=config.engine,
        shard=config.shard,
        learner=_learner(config),
    )
    console = Console(highlight=False)
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    held = f"{summary.episodes} episodes, {summary.steps} actions"
    console.print(f"{summary.folder}: {held}, out of {summary.attempted} that were played ({counts})", markup=False)
    for message in summary.errors:
        console.print(f"simulator error, to be tried again by the next run: {message}", markup=False)
    return 0


def _learner(config: CollectConfig) -> Learner | None:
    """Who plays before the expert takes over."""
    from embodio.agent.errors import Abstained
    from embodio.datasets.recording.collect import RegisteredSource
    from embodio.datasets.recording.learner import Learner

    if not config.agent:
        return None
    load = partial(_load_agent, config.agent)
    load(RegisteredSource(config.env).embodiment)  # here as well, before anything is made, for its errors
    return Learner(config.agent, load, config.takeover, config.record_agent, (Abstained,))


def _load_agent(agent: str, embodiment: Embodiment) -> Policy:
    """The agent of a checkpoint for a robot, in a worker process."""
    import torch

    from embodio.agent import Agent

    torch.set_num_threads(1)
    return Agent.load(agent, embodiment)


def merge(config: MergeDataConfig) -> int:
    """Makes one data set of shards; returns the exit code."""
    from pathlib import Path

    from rich.console import Console

    from embodio.datasets.recording.merging import merge_collections

    out = Path(config.folders[0] if config.out is None else config.out)
    episodes = merge_collections([Path(folder) for folder in config.folders], out)
    Console(highlight=False).print(f"{out}: {episodes} episodes", markup=False)
    return 0
