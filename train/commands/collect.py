"""`embodio-collect`: records scripted demonstrations as an RLDS data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embodio.datasets.errors import DatasetError
from embodio.envs.errors import EnvError
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, require_ranges


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
    """

    out: str
    env: str = "robosuite/lift"
    episodes: int = 200
    seed: int = 0
    noise: tuple[float, ...] = (0.0, 0.2, 0.4)
    workers: int = 2
    keep_failures: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, episodes=AT_LEAST_ONE, seed=COUNT, noise=NOT_NEGATIVE, workers=AT_LEAST_ONE)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-collect`; returns the exit code."""
    return run_command(
        CollectConfig,
        record,
        argv,
        prog="embodio-collect",
        description="Record demonstrations of a scripted expert as RLDS. Run it again to resume after an interrupt.",
        examples=("embodio-collect env=robosuite/lift episodes=200 seed=0 out=data/lift",),
        user_errors=(DatasetError, EnvError),
    )


def record(config: CollectConfig) -> int:
    """Records what `config` asks for; returns the exit code."""
    from rich.console import Console

    from embodio.datasets.recording.collect import collect

    summary = collect(
        config.env,
        config.episodes,
        config.seed,
        config.out,
        noise=config.noise,
        workers=config.workers,
        keep_failures=config.keep_failures,
    )
    console = Console(highlight=False)
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    held = f"{summary.episodes} episodes, {summary.steps} actions"
    console.print(f"{summary.folder}: {held}, out of {summary.attempted} that were played ({counts})", markup=False)
    for message in summary.errors:
        console.print(f"simulator error, to be tried again by the next run: {message}", markup=False)
    return 0
