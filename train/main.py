"""`embodio-train`: trains a policy on trajectories, or goes on where a run stopped."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console, RenderableType

from embodio.agent.checkpoint import VOCABULARY
from embodio.agent.errors import AgentError
from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.stream.stream import BatchStream, evaluation_batches
from embodio.model.errors import ModelError
from embodio.model.network.batch import Batch
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import check_sums
from embodio.model.writing import recover_folder
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.threads import threads
from embodio.train.config import TrainConfig
from embodio.train.errors import TrainError
from embodio.train.identity import identity_of
from embodio.train.loop import CHECKPOINT, Trainer
from embodio.train.material import gather
from embodio.train.network import WholeText, make_network
from embodio.train.optimisers.optimiser import WeightAverage, make_optimiser
from embodio.train.settings_check import check_settings
from embodio.train.starting_weights import Start, digest_if_here, load_start, open_start, report
from embodio.train.state import STATE, Run, restore_run

CONFIGS = Path(__file__).parent / "configs"
VALIDATION_RECORDS = 512
EXIT_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a program."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-train`; returns the exit code."""
    return run_command(
        TrainConfig,
        train,
        argv,
        prog="embodio-train",
        description="Train a policy on trajectories: one data set or a mixture, one task or several. Run it again with "
        "the same out= to go on after an interrupt.",
        examples=(
            "embodio-train experiment=lift data=data/lift out=runs/lift",
            "embodio-train experiment=mixture out=runs/mixture sources.calm.weight=3",
            "embodio-train data=data/mine init=runs/lift/checkpoint out=runs/mine",
            "embodio-train data=data/lift out=runs/both tasks.next_action=0.8 tasks.instruction_from_video=0.2",
        ),
        config_dir=CONFIGS,
        user_errors=(TrainError, DatasetError, AgentError, ModelError),
    )


def train(config: TrainConfig) -> int:
    """Runs, or goes on with, the training that `config` describes.

    Returns:
        The exit code: 0, or 128 and the number of the signal that stopped it, 130 or 143.

    Raises:
        TrainError: another process trains into the folder, or as `make_trainer` and `Trainer.train`.
    """
    with sole_user(Path(config.out), "training into", TrainError):
        return _train(config)


def _train(config: TrainConfig) -> int:
    console = Console(highlight=False)
    trainer = make_trainer(config)
    checkpoint = Path(config.out) / CHECKPOINT
    if restore_run(checkpoint, trainer.run, config):
        console.print(f"going on from step {trainer.run.step} of {checkpoint} to step {config.steps}")
    for note in trainer.notes:
        console.print(note, markup=False)
    if len(trainer.rates) > 1:
        for name, rate in trainer.rates.items():
            console.print(f"{rate:7.2%} {name}", markup=False)
    if config.compile:
        trainer.run.model.compile()
    done = trainer.train()
    console.print(f"{'finished' if done else 'stopped'} at step {trainer.run.step}: {checkpoint}")
    if not done:
        console.print("run the same command again to go on")
    number = trainer.interruption.number
    return 0 if done or number is None else EXIT_SIGNAL + number


def make_trainer(config: TrainConfig) -> Trainer:
    """Builds network, data and optimiser at step 0.

    Raises:
        ConfigError: settings make no sense, whatever the data.
        DatasetError: if a data set is missing, damaged or too small.
        TrainError, AgentError, ModelError: if settings contradict each other, or the weights to begin with do not fit.
    """
    checkpoint = recover_folder(Path(config.out) / CHECKPOINT)
    goes_on = (checkpoint / STATE).is_file()
    check_settings(config, goes_on=goes_on)
    start = open_start(config.init) if config.init and not goes_on else None
    torch.set_num_threads(threads(config.threads, usual=2))
    torch.manual_seed(config.seed)
    vocabulary = _vocabulary(checkpoint if goes_on else None, start)
    material = gather(config, vocabulary)
    robots = material.robots(config.robot)
    model = make_network(config, robots)
    notes: list[RenderableType] = list(material.notes)
    if start is not None:
        notes.append(report(load_start(model, start, vocabulary), start, robots))
    weights = start.sha256 if start is not None else digest_if_here(config.init)
    make_features = WholeText(Processor(model.config, vocabulary))
    records = max(1, VALIDATION_RECORDS // max(1, len(material.held_out)))

    def validation(name: str, on_damage: Callable[[ExampleError], None] = lambda error: None) -> Iterator[Batch]:
        return evaluation_batches(material.held_out[name], make_features, records, config.batch_size, on_damage)

    average = WeightAverage(model, config.optimiser.ema) if config.optimiser.ema else None
    identity = identity_of(material.sources, material.formats, vocabulary, weights)
    return Trainer(
        config=config,
        run=Run(model, make_optimiser(model, config.optimiser), average, identity=identity),
        robots=robots,
        stream=BatchStream(material.training, make_features, config.seed, config.batch_size),
        validation={name: functools.partial(validation, name) for name in material.held_out},
        rates=material.rates,
        notes=notes,
    )


def _vocabulary(checkpoint: Path | None, start: Start | None) -> Vocabulary:
    """That of the run that goes on, or of the weights to begin with; else the one that ships."""
    if checkpoint is not None:
        check_sums(checkpoint, [name for name in (VOCABULARY,) if (checkpoint / name).is_file()])
        return Vocabulary.from_file(checkpoint / VOCABULARY)
    return Vocabulary.default() if start is None or start.vocabulary is None else start.vocabulary
