"""The check of all settings that do not depend on data, before any is opened."""

from __future__ import annotations

from pathlib import Path

from embodio.agent.planning.precision import usable_device
from embodio.datasets.stream.mixture import checked_weight
from embodio.datasets.tasks import named_task
from embodio.model.config.model import ModelConfig
from embodio.train.command_line.schema import UsageError
from embodio.train.config import TrainConfig
from embodio.train.starting_weights import start_folder

_RANGES = {
    "action_range": ("limits", "minmax", "quantiles"),
    "state_range": ("limits", "minmax", "quantiles", "meanstd"),
}


def check_settings(config: TrainConfig, *, goes_on: bool = False) -> None:
    """Refuses settings that no data could make right.

    Args:
        config: the settings.
        goes_on: whether a run resumes, so that its initial weights are not needed.

    Raises:
        UsageError: a choice is unknown, or `out` is a file.
        DatasetError: there is no such task, or a weight is not positive.
        ModelError: there is no such size.
        PrecisionError: this machine has no such device.
        TrainError: `init` names nothing that exists.
    """
    for name, known in _RANGES.items():
        if getattr(config.policy, name) not in known:
            raise UsageError(f"policy.{name}: got {getattr(config.policy, name)!r}, expected one of {', '.join(known)}")
    if config.policy.action_bins < 2:
        raise UsageError(f"policy.action_bins: got {config.policy.action_bins}, expected at least 2")
    for name, task in config.tasks.items():
        named_task(name)
        checked_weight(name, task.weight)
    for name, source in config.sources.items():
        checked_weight(name, source.weight)
    config.mixture.config()
    ModelConfig.named(config.size)
    usable_device(config.device)
    out = Path(config.out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"out: {out} is a file; give a folder")
    if config.init and not goes_on:
        start_folder(config.init)
