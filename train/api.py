"""Training from Python: the settings of a run, and the run itself, without the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.datasets.files.folder_lock import sole_user
from embodio.train.command_line.building import build, checked, plain_defaults, to_plain
from embodio.train.command_line.composition import composed
from embodio.train.errors import TrainError
from embodio.train.experiment import Experiment
from embodio.train.experiments import experiment_named
from embodio.train.main import CONFIGS, GROUP, USUAL, begin
from embodio.train.parallel.config import is_parallel
from embodio.train.run_config import RunConfig

if TYPE_CHECKING:
    from embodio.train.loop import Trainer
    from embodio.train.observers.observer import Observer


def settings(experiment: str | Experiment[Any] = USUAL, *, recipe: str = "", **values: Any) -> RunConfig:
    """The settings of a run, checked as those of the command line are.

    Args:
        experiment: a name, or an experiment that is in no folder.
        recipe: a file of settings of that experiment, as `experiment=...` on the command line; `values` come after it.
        **values: settings by name. What is nested is a mapping or the dataclass itself:
            optimiser={"learning_rate": 1e-3}.

    Returns:
        The instance of the experiment's schema.

    Raises:
        UsageError: there is no such recipe or key, or a value has a wrong type or makes no sense.
    """
    schema: type[RunConfig] = _found(experiment).schema
    before = composed(schema, [f"{GROUP}={recipe}"], CONFIGS) if recipe else plain_defaults(schema)
    config: RunConfig = build(schema, checked(schema, _overlaid(before, to_plain(values))))
    return config


def run(
    experiment: str | Experiment[Any] = USUAL, *, recipe: str = "", observers: Sequence[Observer] = (), **values: Any
) -> Trainer[Any]:
    """Trains, or goes on with the run in the folder `out`, to the same bits as `embodio-train` with these settings.

    Args:
        experiment: see `settings`.
        recipe: see `settings`.
        observers: told of what happens, next to the log and the bar.
        **values: see `settings`; `out` is the folder of the run.

    Returns:
        The trainer after training: its `run` has the network, the average and the number of steps done.

    Raises:
        UsageError: as `settings`.
        TrainError: torchrun started this process as one of several, another process trains into the folder, or holds
            another run, or as `Trainer.train`.
    """
    config = settings(experiment, recipe=recipe, **values)
    if is_parallel():
        raise TrainError(
            "train.run is for one process; torchrun starts the command: torchrun -m embodio.train.main ..."
        )
    with sole_user(Path(config.out), "training into", TrainError):
        trainer = begin(config, _found(experiment))
        trainer.observers = (*trainer.observers, *observers)
        trainer.train()
    return trainer


def _found(experiment: str | Experiment[Any]) -> Experiment[Any]:
    return experiment_named(experiment) if isinstance(experiment, str) else experiment


def _overlaid(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested plain values, with others on top of them."""
    found = dict(before)
    for name, value in values.items():
        held = found.get(name)
        found[name] = _overlaid(held, value) if isinstance(held, Mapping) and isinstance(value, Mapping) else value
    return found
