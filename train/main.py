"""`embodio-train`: training of a policy, or of the experiment named first or by a recipe; a stopped run resumes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.files.folder_lock import sole_user
from embodio.model.errors import ModelError
from embodio.train.command_line.arguments import groups_of, stage_of
from embodio.train.command_line.cli import EXIT_USAGE
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.threads import threads
from embodio.train.errors import TrainError
from embodio.train.experiments import experiment_named, experiment_names, experiment_of
from embodio.train.interruption import exit_code
from embodio.train.parallel.config import is_parallel
from embodio.train.run_config import RunConfig

if TYPE_CHECKING:  # torch is loaded when training begins
    from embodio.train.experiment import Experiment, Parts
    from embodio.train.loop import Trainer

CONFIGS = Path(__file__).parent / "configs"
GROUP = "experiment"
"""The folder of recipes in it; a recipe of another experiment than the default begins with `stage: NAME`."""
PLANS = "scaling"
"""The first word that asks for a plan of a large run instead of a run."""
USUAL = "policy"
"""The default experiment."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-train`; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == [PLANS]:
        from embodio.train.commands.scaling import main as plan  # it trains nothing

        return plan(arguments[1:])
    named = arguments.pop(0) if arguments and arguments[0] in experiment_names() else None
    name = _stage_of_recipe(arguments) or named or USUAL
    if named not in (None, name) or name not in experiment_names():
        known = ", ".join(experiment_names())
        sys.stderr.write(f"embodio-train: the recipe is of {name!r}, not of {named or 'an experiment'}: {known}\n")
        return EXIT_USAGE
    experiment = experiment_named(name)
    return run_command(
        experiment.schema,
        experiment.perform or train,
        arguments,
        prog="embodio-train" if name == USUAL else f"embodio-train {name}",
        description=experiment.description + _others(name),
        examples=experiment.examples,
        config_dir=CONFIGS,
        user_errors=(TrainError, DatasetError, ModelError, *experiment.errors),
    )


def _stage_of_recipe(arguments: Sequence[str]) -> str | None:
    """The experiment that the recipe `experiment=...` is of; None if none is given, or it does not exist."""
    chosen = [value for name, _, value in (argument.partition("=") for argument in arguments) if name == GROUP]
    if not chosen or chosen[-1] not in groups_of(CONFIGS).get(GROUP, ()):
        return None
    return stage_of(CONFIGS / GROUP / f"{chosen[-1]}.yaml") or USUAL


def _others(name: str) -> str:
    """Sentences on the other experiments, if there are any, and on plans."""
    others = [other for other in experiment_names() if other != name]
    told = f" Other experiments: {', '.join(f'embodio-train {other}' for other in others)}." if others else ""
    return f"{told} embodio-train {PLANS} plans a run on many GPUs."


def train(config: RunConfig) -> int:
    """Runs or resumes the training that `config` describes.

    Returns:
        The exit code: 0, or 128 and the number of the signal that stopped it, 130 or 143.

    Raises:
        TrainError: another process trains into the folder, or as `build_parts` and `Trainer.train`.
    """
    if is_parallel():
        from embodio.train.parallel.trainer import train_together

        return train_together(config, build_parts)
    with sole_user(Path(config.out), "training into", TrainError):
        return _train(config)


def _train(config: RunConfig) -> int:
    trainer = begin(config)
    done = trainer.train()
    _say(f"{'finished' if done else 'stopped'} at step {trainer.run.step}: {Path(config.out) / 'checkpoint'}")
    if not done:
        _say("run the same command again to go on")
    return exit_code(trainer.interruption.number, done=done)


def begin(config: RunConfig, experiment: Experiment[Any] | None = None) -> Trainer[Any]:
    """The trainer of a run at its beginning or, if the folder holds a checkpoint, where that ends; says which.

    Args:
        config: the settings; the process must be the folder's sole user.
        experiment: what is trained; None finds it by its settings.

    Raises:
        TrainError: the checkpoint is damaged or of another run, or as `build_parts` and `trainer_of`.
        PrecisionError: there is no compiler for `compile`.
    """
    from embodio.agent.planning.precision import require_compiler
    from embodio.train.checkpoints.kept import CHECKPOINT, fall_back
    from embodio.train.checkpoints.run import restore_run

    checkpoint = Path(config.out) / CHECKPOINT
    newest = fall_back(checkpoint.parent)
    if newest.said:
        _say(newest.said)
    parts = build_parts(config, experiment)
    trainer = trainer_of(parts, config)
    if restore_run(checkpoint, trainer.run, config, parts.older_identity, verify=not newest.sound):
        _say(f"going on from step {trainer.run.step} of {checkpoint} to step {config.steps}")
    for note in parts.notes:
        _say(note)
    if config.compile:
        require_compiler()
        trainer.run.model.compile()
    return trainer


def _say(what: Any) -> None:
    """Prints a line or a table."""
    from rich.console import Console

    Console(highlight=False).print(what, markup=False)


def build_parts(config: RunConfig, experiment: Experiment[Any] | None = None) -> Parts[Any]:
    """The parts of an experiment; None finds it by its settings. Raises as its `build` does."""
    import torch

    torch.set_num_threads(threads(config.threads, usual=2))
    torch.manual_seed(config.seed)
    return (experiment or experiment_of(config)).build(config)


def trainer_of(parts: Parts[Any], config: RunConfig) -> Trainer[Any]:
    """The trainer of an experiment's parts at step 0.

    Raises:
        PrecisionError: this machine has no such device.
        TrainError: a setting names parts that the network does not have, or an optimiser that there is not.
    """
    from embodio.agent.planning.precision import usable_device
    from embodio.train.checkpoints.run import first_run
    from embodio.train.loop import Trainer
    from embodio.train.network.lora import adapt
    from embodio.train.network.recomputation import recompute
    from embodio.train.observers.log_and_bar import LogAndBar
    from embodio.train.observers.report import Report
    from embodio.train.optimisers.schedule import release_towers

    release_towers(parts.network, config.freeze)
    fixed = adapt(parts.network, config.lora, config.seed) if config.lora.rank else frozenset[str]()
    recompute(parts.network, config.recompute)
    model = parts.network.to(usable_device(config.device))
    run = first_run(model, parts.identity, config, fixed)
    observers = (LogAndBar(), *parts.observers, Report(parts.samples))
    return Trainer(run, parts.batches, parts.objective, parts.bundle, parts.validators, config, observers=observers)


def make_trainer(config: RunConfig) -> Trainer[Any]:
    """The trainer that settings describe at step 0; raises as `build_parts` and `trainer_of` do."""
    return trainer_of(build_parts(config), config)


if __name__ == "__main__":  # torchrun -m embodio.train.main
    raise SystemExit(main())
