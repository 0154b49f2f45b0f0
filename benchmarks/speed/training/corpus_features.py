"""Features of a corpus on disk, drawn by the sources, rates and objectives of `pretrain_nano`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.errors import DatasetError, SkippedRecord
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.stream.numbered_batches import made
from embodio.datasets.stream.order import generator_at, mask_generator_at
from embodio.datasets.tasks.parts.record_task import RecordTask
from embodio.model.config.model import ModelConfig
from embodio.model.network.targets import CODE_OFFSET
from embodio.model.processing.processor import Features, Processor
from embodio.train.command_line.cli import compose
from embodio.train.experiments.pretrain.config import PretrainConfig
from embodio.train.experiments.pretrain.data import gather
from embodio.train.experiments.pretrain.network import opened_vocabulary
from embodio.train.main import CONFIGS

_RECIPE = "experiment=pretrain_nano"


def corpus_features(config: ModelConfig, folder: Path, examples: int) -> list[Features]:
    """The first examples of the stream, without records that give none; images and sounds to write are random codes.

    Args:
        config: of the network.
        folder: of the corpus, as `embodio-data corpus` makes it.
        examples: how many.

    Raises:
        BenchmarkError: the corpus holds no source of the recipe, is damaged, or most of its records give no example.
    """
    settings = compose(PretrainConfig, [_RECIPE, f"data={folder}", "out=unused"], config_dir=CONFIGS)
    vocabulary = opened_vocabulary(settings.vocabulary)
    context = ObjectiveContext(config, vocabulary)
    found, skipped = list[Features](), list[SkippedRecord]()
    try:
        mixture = gather(settings, context, context).training
        processor = Processor(config, vocabulary)
        while len(found) < examples:
            position = len(found) + len(skipped)
            task, record = mixture.draw(0, position)
            try:
                features = made(task, record, partial(_features, task, processor, position))
                found.append(_with_codes(features, config, position))
            except SkippedRecord as error:
                skipped.append(error)
                if len(skipped) > examples:
                    raise
    except DatasetError as error:
        raise BenchmarkError(f"corpus: {error}") from error
    return found


def _features(task: RecordTask, processor: Processor, position: int, record: int) -> Features:
    return processor(task.example(record, generator_at(0, position)), mask_generator_at(0, position))


def _with_codes(features: Features, config: ModelConfig, position: int) -> Features:
    """The features with codes in place of raw targets."""
    for name in ("image", "audio"):
        if features.pop(f"targets/{name}/{name}", None) is not None:
            tokenizer = getattr(config, f"{name}_tokenizer")
            codes = mask_generator_at(1, position).integers(
                0, tokenizer.num_codes, tokenizer.grid[0] * tokenizer.grid[1]
            )
            features[f"targets/{name}/tokens"] = (codes + CODE_OFFSET).astype(np.int32)
    return features
