"""The experiments, found by listing this folder.

An experiment is one module, or a folder of modules, with an instance `EXPERIMENT` of `Experiment`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from embodio.train.errors import TrainError
from embodio.train.experiment import Experiment
from embodio.train.run_config import RunConfig


def experiment_names() -> tuple[str, ...]:
    """The names, in alphabetical order; nothing is imported."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def experiment_named(name: str) -> Experiment[Any]:
    """An experiment by its name, which is that of its module."""
    experiment: Experiment[Any] = importlib.import_module(f"{__name__}.{name}").EXPERIMENT
    return experiment


def experiment_of(config: RunConfig) -> Experiment[Any]:
    """The experiment that settings are of; raises TrainError if there is none."""
    for name in experiment_names():
        if (experiment := experiment_named(name)).schema is type(config):
            return experiment
    raise TrainError(f"{type(config).__name__}: no experiment has these settings; there are {experiment_names()}")
