"""Settings that commands which play episodes share: the shard of a job, and perturbations."""

from __future__ import annotations

from embodio.datasets.files.shards import JobShard
from embodio.envs.perturbing.conditions import PerturbationError, conditions
from embodio.train.command_line.schema import UsageError


def require_shard(text: str) -> JobShard:
    """Reads the setting `shard`, such as "2/8"; raises UsageError if it is not one."""
    try:
        return JobShard.of(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


def require_conditions(text: str, level: int) -> tuple[str, ...]:
    """Reads a setting of perturbations as `conditions`; raises UsageError if one is not known."""
    try:
        return conditions(text, level)
    except PerturbationError as error:
        raise UsageError(str(error)) from error
