"""`embodio-envs`: the environments that an agent can act in, with the robot of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodio.envs import embodiment_of, known_envs
from embodio.envs.errors import EnvError
from embodio.envs.registry import missing_simulator
from embodio.train.command_line.cli import run as run_command

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class EnvsConfig:
    """Settings of `embodio-envs`.

    Attributes:
        match: show only names that contain this text, such as vima/ or lift.
    """

    match: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-envs`; returns the exit code."""
    return run_command(
        EnvsConfig,
        show,
        argv,
        prog="embodio-envs",
        description="List the environments that embodio-rollout and embodio-collect take as env=...",
        examples=("embodio-envs", "embodio-envs match=vima/"),
        user_errors=(EnvError,),
    )


def show(config: EnvsConfig, console: Console | None = None) -> int:
    """Prints the table; returns the exit code, 1 if no name matches."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = console or Console(highlight=False)
    rows = {name: variants for name, variants in grouped(known_envs()).items() if _matches(name, variants, config)}
    if not rows:
        console.print(f"no environment matches {config.match!r}; embodio-envs lists them all", markup=False)
        return 1
    table = Table(box=SIMPLE_HEAD)
    table.add_column("env", no_wrap=True)
    for column in ("variants", "robot", "cameras"):
        table.add_column(column, overflow="fold")
    for name, variants in rows.items():
        robot = embodiment_of(name)
        cameras = ", ".join(camera.name for camera in robot.cameras)
        table.add_row(name, " ".join(f"/{variant}" for variant in variants), robot.name, cameras)
    console.print(table)
    for module in sorted({missing for name in rows if (missing := missing_simulator(name))}):
        families = sorted({name.split("/")[0] for name in rows if missing_simulator(name) == module})
        console.print(f"{module} is not installed, which {', '.join(families)}/... needs.", markup=False)
    console.print("One of your own: env=module:Class, a gymnasium environment with an `embodiment`.", markup=False)
    return 0


def grouped(names: Sequence[str]) -> dict[str, list[str]]:
    """Names of two parts -> the third parts that are names as well, which are variants of the same environment."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        family, task, *variant = name.split("/", 2)
        groups.setdefault(f"{family}/{task}", []).extend(variant)
    return groups


def _matches(name: str, variants: Sequence[str], config: EnvsConfig) -> bool:
    return any(config.match in full for full in (name, *(f"{name}/{variant}" for variant in variants)))
