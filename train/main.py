"""`embodio-train`: trains a policy on RLDS trajectories, or goes on where a run stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console

from embodio.agent.errors import AgentError
from embodio.agent.policy_format import PolicyFormat
from embodio.agent.policy_network import policy_network_config
from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.statistics import compute_statistics
from embodio.datasets.stream import BatchStream, evaluation_batches
from embodio.datasets.tasks.next_action import NextAction
from embodio.model.collation import Batch
from embodio.model.errors import ModelError
from embodio.model.network import UnifiedIO2
from embodio.model.processor import Processor
from embodio.model.statistics import DatasetStatistics
from embodio.model.vocabulary import Vocabulary
from embodio.train.cli import run as run_command
from embodio.train.config import TrainConfig
from embodio.train.errors import TrainError
from embodio.train.initialise import smooth_value_embeddings
from embodio.train.loop import CHECKPOINT, Trainer
from embodio.train.optimiser import WeightAverage, make_optimiser
from embodio.train.state import Run, restore_run

CONFIGS = Path(__file__).parent / "configs"
VALIDATION_RECORDS = 512


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-train`; returns the exit code."""
    return run_command(
        TrainConfig,
        train,
        argv,
        prog="embodio-train",
        description="Train a policy on RLDS trajectories. Run it again with the same out= to go on after an interrupt.",
        examples=("embodio-train experiment=lift data=data/lift out=runs/lift",),
        config_dir=CONFIGS,
        user_errors=(TrainError, DatasetError, AgentError, ModelError),
    )


def train(config: TrainConfig) -> int:
    """Runs, or goes on with, the training that `config` describes; returns the exit code."""
    console = Console(highlight=False)
    trainer = make_trainer(config)
    checkpoint = Path(config.out) / CHECKPOINT
    if restore_run(checkpoint, trainer.run, config):
        console.print(f"going on from step {trainer.run.step} of {checkpoint}")
    if config.compile:
        trainer.run.model.compile()
    done = trainer.train()
    console.print(f"{'finished' if done else 'stopped'} at step {trainer.run.step}: {checkpoint}")
    if not done:
        console.print("run the same command again to go on")
    return 0


def make_trainer(config: TrainConfig) -> Trainer:
    """Builds network, data and optimiser at step 0.

    Raises:
        DatasetError: if the data set is missing, damaged or too small.
        TrainError, AgentError, ModelError: if settings contradict each other.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    reader = RLDSReader(config.data)
    if not 0 < config.holdout < len(reader):
        raise TrainError(f"holdout: got {config.holdout}, but {config.data} has {len(reader)} episodes")
    training = range(len(reader) - config.holdout)
    vocabulary = Vocabulary.default()
    statistics = policy_statistics(reader, config.action_key)
    policy_config = dataclasses.replace(config.policy, view=config.augment.view)
    policy_format = PolicyFormat(policy_config, reader.embodiment, statistics, vocabulary)
    model = UnifiedIO2(policy_network_config(config.size, policy_format))
    smooth_value_embeddings(model, vocabulary, config.value_smoothness, config.seed)
    model.to(config.device)
    processor = Processor(model.config, vocabulary)
    task = NextAction(reader, policy_format, training, config.action_key, config.augment)
    held_out = NextAction(reader, policy_format, range(len(training), len(reader)), config.action_key, config.augment)

    def validation() -> Iterator[Batch]:
        return evaluation_batches(held_out, processor, VALIDATION_RECORDS, config.batch_size)

    average = WeightAverage(model, config.optimiser.ema) if config.optimiser.ema else None
    return Trainer(
        config=config,
        run=Run(model, make_optimiser(model, config.optimiser), average),
        policy_format=policy_format,
        stream=BatchStream(task, processor, config.seed, config.batch_size),
        validation=validation,
    )


def policy_statistics(reader: RLDSReader, action_key: str) -> DatasetStatistics:
    """Statistics of what a policy reads and writes: "state", and as "action" the field that it imitates."""
    computed = compute_statistics(reader)
    return DatasetStatistics(
        {"action": computed.field(action_key), "state": computed.field("state")}, f"{computed.source}, {action_key}"
    )
