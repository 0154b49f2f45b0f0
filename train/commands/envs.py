"""`embodio-envs`: the environments that an agent can act in, with the robot of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodio.envs import embodiment_of, known_envs
from embodio.envs.errors import EnvError
from embodio.envs.registry import simulator_of
from embodio.train.command_line.cli import run as run_command

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding


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
    """Prints the families and their environments; returns the exit code, 1 if no name matches."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console(highlight=False)
    rows = {name: variants for name, variants in grouped(known_envs()).items() if _matches(name, variants, config)}
    if not rows:
        console.print(f"no environment matches {config.match!r}; embodio-envs lists them all", markup=False)
        return 1
    for family, names in _families(rows).items():
        console.print(Text(f"{family}/", style="bold"))
        for robot, named in _by_robot(names).items():
            console.print(f"  {robot}", markup=False)
            for tasks, variants in _alike(named, rows).items():
                console.print(_indented(tasks))
                if variants:
                    console.print(_indented((f"each also with {' '.join(f'/{variant}' for variant in variants)}",)))
        simulator = simulator_of(names[0])
        if not simulator.installed:
            console.print(f"  {simulator.module} is not installed: {simulator.install}", markup=False)
    console.print("A name is FAMILY/TASK or FAMILY/TASK/VARIANT, such as env=robosuite/lift.", markup=False)
    console.print("One of your own: env=module:Class, a gymnasium environment with an `embodiment`.", markup=False)
    return 0


def grouped(names: Sequence[str]) -> dict[str, list[str]]:
    """Names of two parts -> the third parts that are names as well, which are variants of the same environment."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        family, task, *variant = name.split("/", 2)
        groups.setdefault(f"{family}/{task}", []).extend(variant)
    return groups


def _families(names: Iterable[str]) -> dict[str, list[str]]:
    """Family -> its names."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.split("/")[0], []).append(name)
    return found


def _by_robot(names: Iterable[str]) -> dict[str, list[str]]:
    """Robot and cameras in words -> the names that have them."""
    found: dict[str, list[str]] = {}
    for name in names:
        robot = embodiment_of(name)
        cameras = ", ".join(camera.name for camera in robot.cameras)
        found.setdefault(f"robot {robot.name}; cameras {cameras}", []).append(name)
    return found


def _alike(names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Tasks -> the variants that each of them has."""
    by_variants: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        by_variants.setdefault(tuple(rows[name]), []).append(name.split("/")[1])
    return {tuple(tasks): variants for variants, tasks in by_variants.items()}


def _indented(words: Sequence[str]) -> Padding:
    """Words in lines as wide as the terminal, indented."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text("  ".join(words), overflow="fold"), (0, 0, 0, 4))


def _matches(name: str, variants: Sequence[str], config: EnvsConfig) -> bool:
    return any(config.match in full for full in (name, *(f"{name}/{variant}" for variant in variants)))
