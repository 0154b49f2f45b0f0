"""Settings that several commands share: the shard of a job, where merged shards go, and perturbations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from embodio.datasets.files.shards import JobShard
from embodio.envs import make_env
from embodio.envs.perturbing.conditions import PerturbationError, conditions
from embodio.train.command_line.schema import UsageError


def require_shard(text: str) -> JobShard:
    """Reads the setting `shard`, such as "2/8"; raises UsageError if it is not one."""
    try:
        return JobShard.of(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def require_out(folders: Sequence[str], out: str | Path | None, example: str) -> None:
    """Makes sure that it is known where shards are merged; raises UsageError.

    Args:
        folders: the folder that all shards share, where they are merged without `out`, or the folders of the shards.
        out: the setting.
        example: a value of it, for the message.
    """
    if out is None and len(folders) != 1:
        raise UsageError(f"'out' must be given where several folders are merged: out={example}")


def require_conditions(text: str, level: int) -> tuple[str, ...]:
    """Reads a setting of perturbations as `conditions`; raises UsageError if one is not known."""
    try:
        return conditions(text, level)
    except PerturbationError as error:
        raise UsageError(str(error)) from error


def conditions_here(env: str, text: str, level: int, seed: int) -> tuple[str, ...]:
    """The conditions that an environment can have, where "all" means all of them; says what that leaves out.

    Args:
        env: name of the environment.
        text: the setting.
        level: of perturbations without one.
        seed: of the first episode.

    Raises:
        EnvError: the environment cannot have one that is named.
    """
    from rich.console import Console

    from embodio.envs.perturbing.possible import possible_conditions

    made = make_env(env)
    try:
        found = possible_conditions(text, level, made, env, seed)
    finally:
        made.close()
    if found.left_out:
        Console(stderr=True, highlight=False).print(f"{env}: {found.note}", markup=False, soft_wrap=True)
    return found.conditions
