"""embodio-tour: one page on which one network acts, hears, sees, answers, draws and speaks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodio.agent.errors import AgentError
from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.errors import DatasetError
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run
from embodio.train.command_line.ranges import COUNT, require_ranges


@dataclass(frozen=True)
class TourConfig:
    """Settings of a tour.

    Attributes:
        out: Folder for the page, tour.html, and for the made-up scene and the videos that it shows.
        agent: Name or folder of a checkpoint of a network that was trained on many tasks, such as by
            experiment=instruct_nano.
        env: Name of the environment in which it acts.
        seed: Seed of the episode, of the voice, of the made-up scene and of what is drawn.
        spoken: Folder of instructions read aloud, or lift-aloud, which ships; "" tells it in words.
        absent: What it is asked for that is not there, such as "open the door" of a table without one; empty asks for
            nothing of the kind.
        picture: A picture of yours that is named, and the name said aloud, besides the one that is drawn for it; empty
            for none.
        threads: Threads of the network; 0 takes OMP_NUM_THREADS, or all cores.
    """

    out: Path
    agent: str = "embodio-nano"
    env: str = "robosuite/lift"
    seed: int = 10000
    spoken: str = "lift-aloud"
    absent: str = "open the door"
    picture: str = ""
    threads: int = 0

    def __post_init__(self) -> None:
        require_ranges(self, seed=COUNT, threads=COUNT)


def main(argv: Sequence[str] | None = None) -> int:
    """The command `embodio-tour`; returns its exit code."""
    return run(
        TourConfig,
        _main,
        list(sys.argv[1:] if argv is None else argv),
        prog="embodio-tour",
        description="Shows on one page how a network acts, hears, sees, answers, draws and speaks, and what is right.",
        examples=(
            "embodio-tour out=runs/tour",
            "embodio-tour seed=770001 threads=1 out=runs/tour",
            "embodio-tour agent=runs/instruct_nano/checkpoint picture=photo.jpg spoken='' out=runs/tour",
        ),
        user_errors=(EnvError, AgentError, ModelError, BenchmarkError, DatasetError),
    )


def _main(config: TourConfig) -> None:
    from embodio.benchmarks.tour.guide import show

    show(config)
