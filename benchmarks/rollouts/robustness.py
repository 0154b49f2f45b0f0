"""`embodio-rollout robustness`: the success of an agent under each perturbation, next to that without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from embodio.benchmarks.errors import BenchmarkError
from embodio.train.command_line.arguments import with_names
from embodio.train.command_line.cli import run

if TYPE_CHECKING:
    from embodio.benchmarks.rollouts.rollout import RolloutConfig


@dataclass(frozen=True)
class RobustnessConfig:
    """Settings of a table of robustness.

    Attributes:
        folder: out=... of embodio-rollout with several perturbations, or any folder with such rollouts of one agent.
    """

    folder: Path


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    return run(
        RobustnessConfig,
        lambda config: show(config.folder),
        with_names(arguments, ("folder",)),
        prog="embodio-rollout robustness",
        description="Prints the table of rollouts under perturbations, and writes it again as JSON and as a page.",
        examples=(
            "embodio-rollout agent=lift-nano episodes=20 perturb=all level=3 out=runs/robustness",
            "embodio-rollout robustness runs/robustness",
        ),
        user_errors=(BenchmarkError,),
    )


def play_each(config: RolloutConfig) -> None:
    """Plays every condition on the same seeds, first without perturbations, each in a folder inside `out`.

    Raises:
        EnvError: the environment cannot have one that is named; found out before anything is played.
        and as `rollout`.
    """
    from embodio.benchmarks.rollouts.play import rollout
    from embodio.train.command_line.job_settings import conditions_here

    for condition in ("", *conditions_here(config.env, config.perturb, config.level, config.seed)):
        name = condition.replace(":", "-") or "none"
        record = None if config.record is None else config.record / name
        rollout(replace(config, perturb=condition, out=config.out / name, record=record))
    if not config.shard:
        show(config.out)


def show(folder: Path) -> None:
    """Prints the table of the rollouts in a folder and writes it there.

    Raises:
        ComparisonError: there are no rollouts without perturbations and with, or they are of several agents.
    """
    from rich.console import Console

    from embodio.benchmarks.rollouts.comparison.robust import robustness
    from embodio.benchmarks.rollouts.comparison.runs import read_runs
    from embodio.benchmarks.rollouts.comparison.shown import robustness_table, write_robustness

    runs = read_runs(folder)
    rows = robustness(runs)
    Console(highlight=False).print(robustness_table(runs.agent, rows))
    page = write_robustness(runs.agent, rows, folder)
    Console(stderr=True, highlight=False).print(f"Robustness: {page.as_uri()}", soft_wrap=True)
