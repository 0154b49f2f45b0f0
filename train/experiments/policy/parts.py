"""The parts of a policy run: its network and first weights, its data, and the agent of its checkpoint."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import RenderableType

from embodio.agent.checkpoint import VOCABULARY, load_robots
from embodio.agent.format.robot_formats import RobotFormats
from embodio.datasets.errors import ExampleError
from embodio.datasets.stream.packing import Capacity
from embodio.datasets.stream.stream import BatchStream, FeatureMaker, evaluation_batches
from embodio.datasets.tasks.parts.record_task import RecordTask
from embodio.model.config.model import ModelConfig
from embodio.model.network.batch import Batch
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import check_sums
from embodio.model.weights.pretrained import read_model_config
from embodio.model.weights.weights import CONFIG_FILE
from embodio.model.writing import recover_folder
from embodio.train.bundles import AgentBundle
from embodio.train.checkpoints.kept import CHECKPOINT, STATE
from embodio.train.config import TrainConfig
from embodio.train.experiment import Parts
from embodio.train.experiments.policy.data import PolicyData, gather
from embodio.train.experiments.policy.identity import identity_of, identity_of_checkpoint
from embodio.train.experiments.policy.network import make_network
from embodio.train.experiments.policy.settings_check import check_settings
from embodio.train.objective import TokenLoss
from embodio.train.starting_weights import Start, digest_if_here, load_start, open_start, report
from embodio.train.validation import Validator

VALIDATION_RECORDS = 512


def policy_parts(config: TrainConfig) -> Parts[UnifiedIO2]:
    """Opens the data and makes network, batches, validators and the agent's format.

    Raises:
        UsageError: settings make no sense, whatever the data.
        DatasetError: if a data set is missing, damaged or too small.
        TrainError, AgentError, ModelError: if settings contradict each other, or the initial weights do not fit.
    """
    checkpoint = recover_folder(Path(config.out) / CHECKPOINT)
    goes_on = (checkpoint / STATE).is_file()
    check_settings(config, goes_on=goes_on)
    start = open_start(config.init) if config.init and not goes_on else None
    vocabulary = _vocabulary(checkpoint if goes_on else None, start)
    data = gather(config, vocabulary)
    robots = data.robots(config.robot)
    if config.released:
        robots = RobotFormats({config.robot: next(iter(data.formats.values()))})
    torch.manual_seed(config.seed)  # reading initial weights drew random numbers
    model = make_network(config, robots, _shape(config, checkpoint if goes_on else None, start))
    notes: list[RenderableType] = list(data.notes)
    if start is not None:
        notes.append(report(load_start(model, start, vocabulary), start, robots))
    if len(data.rates) > 1:
        notes += [f"{rate:7.2%} {name}" for name, rate in data.rates.items()]
    weights = start.sha256 if start is not None else digest_if_here(config.init)
    make_features = Processor(model.config, vocabulary, cut_text=False)
    packing = config.packing.of_network(model.config)
    return Parts(
        network=model,
        batches=BatchStream(data.training, make_features, config.seed, config.batch_size, packing=packing),
        objective=TokenLoss(config.z_loss),
        bundle=AgentBundle(robots),
        validators=_validators(data, make_features, config.batch_size, packing),
        identity=identity_of(data.sources, data.formats, vocabulary, weights),
        notes=notes,
        older_identity=functools.partial(
            _older_identity, config.robot if config.sources and config.robot else next(iter(data.formats))
        ),
    )


def _validators(
    data: PolicyData, make_features: FeatureMaker, batch_size: int, packing: tuple[ModelConfig, Capacity] | None
) -> Mapping[str, Validator]:
    """A validator for each task with a suitable held-out episode."""
    records = max(1, VALIDATION_RECORDS // max(1, len(data.held_out)))

    def held_out(task: RecordTask, on_damage: Callable[[ExampleError], None] = lambda error: None) -> Iterator[Batch]:
        return evaluation_batches(task, make_features, records, batch_size, on_damage, packing)

    return {
        name: Validator(functools.partial(held_out, task), data.rates[name]) for name, task in data.held_out.items()
    }


def _older_identity(source: str, folder: Path) -> Mapping[str, Any]:
    """A data set as described by a checkpoint from before there were identities."""
    robots = load_robots(folder)
    return identity_of_checkpoint(robots[robots.pick()], source)


def _shape(config: TrainConfig, checkpoint: Path | None, start: Start | None) -> ModelConfig | None:
    """The shape of the network of a run for a robot of released weights, theirs; None for the named size."""
    if not config.released:
        return None
    if checkpoint is not None:
        return read_model_config(checkpoint / CONFIG_FILE)
    return None if start is None else start.model.config


def _vocabulary(checkpoint: Path | None, start: Start | None) -> Vocabulary:
    """The vocabulary of the resumed run or of the initial weights; else the default one."""
    if checkpoint is not None:
        check_sums(checkpoint, [name for name in (VOCABULARY,) if (checkpoint / name).is_file()])
        return Vocabulary.from_file(checkpoint / VOCABULARY)
    return Vocabulary.default() if start is None or start.vocabulary is None else start.vocabulary
