"""The parts of a pre-training run: its network and first weights, its data, validators, and the bundle."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from rich.console import RenderableType

from embodio.agent.checkpoint import VOCABULARY
from embodio.datasets.codes.store import CodedTargets, open_stores
from embodio.datasets.errors import ExampleError
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.stream.packing import Capacity
from embodio.datasets.stream.stream import BatchStream, FeatureMaker, evaluation_batches
from embodio.datasets.tasks.parts.record_task import RecordTask
from embodio.model.config.model import ModelConfig
from embodio.model.network.batch import Batch
from embodio.model.network.loss import Weighting
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import Tokenizer
from embodio.model.processing.processor import Processor
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.files import fingerprint, load_saved_vocoder, shipped_vocoder
from embodio.model.tokenizers.vocoder import Vocoder
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.model.weights.checksums import check_sums
from embodio.model.writing import recover_folder
from embodio.train.bundles import AgentBundle, NetworkBundle
from embodio.train.checkpoints.kept import CHECKPOINT, STATE
from embodio.train.experiment import Parts
from embodio.train.experiments.pretrain.config import PretrainConfig
from embodio.train.experiments.pretrain.data import StageData, gather
from embodio.train.experiments.pretrain.network import (
    make_network,
    network_config,
    opened_tokenizers,
    opened_vocabulary,
    seen_in_training,
)
from embodio.train.experiments.pretrain.samples import HeldOutSamples
from embodio.train.experiments.pretrain.stage import NetworkStageConfig
from embodio.train.network.value_embeddings import draw_value_embeddings
from embodio.train.objective import TokenLoss
from embodio.train.starting_weights import Start, digest_if_here, load_start, open_start, report
from embodio.train.validation import Validator

EXAMPLES_REVISION = 3
"""Increased whenever the same records and settings give different examples."""


def pretrain_parts(config: PretrainConfig) -> Parts[UnifiedIO2]:
    """The parts of a pre-training run; errors as in `network_parts`."""
    return network_parts(config, functools.partial(gather, config))


def network_parts(
    config: NetworkStageConfig, opened: Callable[[ObjectiveContext, ObjectiveContext], StageData]
) -> Parts[UnifiedIO2]:
    """Opens data, vocabulary and tokenisers, and makes network, batches and validators.

    Args:
        config: settings of the run.
        opened: opens the data, for the network in training and for the one in validation.

    Raises:
        DatasetError: a source is absent, damaged or empty.
        TrainError, ModelError: vocabulary, tokenisers or initial weights cannot be read or do not fit.
    """
    checkpoint = recover_folder(Path(config.out) / CHECKPOINT)
    goes_on = (checkpoint / STATE).is_file()
    start = open_start(config.init) if config.init and not goes_on else None
    vocabulary = _vocabulary(config, checkpoint if goes_on else None, start)
    tokenizers = opened_tokenizers(config)
    sizes = network_config(config, vocabulary, tokenizers)
    seen = seen_in_training(sizes, config.patches)
    data = opened(ObjectiveContext(seen, vocabulary), ObjectiveContext(sizes, vocabulary))
    torch.manual_seed(config.seed)  # reading initial weights drew random numbers
    model = make_network(sizes, tokenizers)
    draw_value_embeddings(model, vocabulary, config.value_smoothness, config.value_wavelength, config.seed)
    notes: list[RenderableType] = list(data.notes)
    if start is not None:
        notes.append(report(load_start(model, start, vocabulary), start))
    packing = config.packing.of_network(sizes)
    shas = {name: fingerprint(one) for name, one in tokenizers.items()}
    stores = open_stores(config.data, shas) if config.codes == "use" else {}
    notes += [f"{name}: {len(store)} codes made ahead are used" for name, store in stores.items()]
    vocoder = _vocoder(config, tokenizers)
    processor, whole = Processor(seen, vocabulary), Processor(sizes, vocabulary)
    weights = start.sha256 if start is not None else digest_if_here(config.init)
    identity = {
        "sources": data.identity,
        "vocabulary": vocabulary.fingerprint,
        "tokenizers": shas,
        "examples": EXAMPLES_REVISION,
        "init": weights,
    }
    return Parts(
        network=model,
        batches=BatchStream(
            data.training, CodedTargets(processor, stores), config.seed, config.batch_size, packing=packing
        ),
        objective=TokenLoss(config.z_loss, Weighting(config.modality_weights, config.length_discount)),
        bundle=NetworkBundle(vocabulary) if data.robots is None else AgentBundle(data.robots),
        validators=_validators(config, data, CodedTargets(whole, stores), packing),
        identity=json.loads(json.dumps(identity)),
        notes=notes,
        samples=HeldOutSamples(data.held_out, whole, config.samples, vocoder),
    )


def _vocabulary(config: NetworkStageConfig, checkpoint: Path | None, start: Start | None) -> Vocabulary:
    """That of the resumed run; else the one that is named; else that of the initial weights, or the one that ships."""
    if checkpoint is not None:
        check_sums(checkpoint, [name for name in (VOCABULARY,) if (checkpoint / name).is_file()])
        return Vocabulary.from_file(checkpoint / VOCABULARY)
    if not config.vocabulary and start is not None and start.vocabulary is not None:
        return start.vocabulary
    return opened_vocabulary(config.vocabulary)


def _vocoder(config: NetworkStageConfig, tokenizers: Mapping[str, Tokenizer]) -> Vocoder | None:
    """The one that is named; else the one that ships for the run's audio tokeniser; None for Griffin-Lim."""
    tokenizer = tokenizers.get("audio")
    if not config.vocoder:
        return None if tokenizer is None else shipped_vocoder(tokenizer)
    bands = tokenizer.config.spectrogram_size[0] if isinstance(tokenizer, AudioTokenizer) else None
    return load_saved_vocoder(config.vocoder, bands=bands)


def _validators(
    config: NetworkStageConfig, data: StageData, processor: FeatureMaker, packing: tuple[ModelConfig, Capacity] | None
) -> Mapping[str, Validator]:
    """A validator for each source with a validation split."""

    def held_out(task: RecordTask, on_damage: Callable[[ExampleError], None] = lambda error: None) -> Iterator[Batch]:
        return evaluation_batches(task, processor, config.holdout, config.batch_size, on_damage, packing)

    return {
        name: Validator(functools.partial(held_out, task), data.rates[name]) for name, task in data.held_out.items()
    }
