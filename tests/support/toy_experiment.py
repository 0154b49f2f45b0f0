"""An experiment that trains a small network on random text: all that a file of `train/experiments` must hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from embodio.datasets.errors import ExampleError
from embodio.model.config.model import ModelConfig
from embodio.model.network.batch import Batch
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.bundles import NetworkBundle
from embodio.train.experiment import Experiment, Parts
from embodio.train.objective import TokenLoss
from embodio.train.run_config import RunConfig
from embodio.train.validation import Validator


@dataclasses.dataclass(frozen=True)
class ToyConfig(RunConfig):
    """Training on random text.

    Attributes:
        dropout_rate: of the network.
        length: tokens of a text.
    """

    dropout_rate: float = 0.0
    length: int = 5


@dataclasses.dataclass(frozen=True)
class RandomText:
    """Batches of random text whose answer is the text itself."""

    seed: int
    rows: int
    length: int
    damaged: tuple[ExampleError, ...] = ()

    def make(self, step: int, allocate: Any = np.empty) -> tuple[Batch, tuple[ExampleError, ...]]:
        """Batch number `step`."""
        ids = np.random.default_rng((self.seed, step)).integers(2, 1000, (self.rows, self.length))
        text = torch.from_numpy(ids)
        inputs = torch.nn.functional.pad(text[:, :-1], (1, 0))
        return {"inputs/text/tokens": text, "targets/text/targets": text, "targets/text/inputs": inputs}, ()


def build(config: ToyConfig) -> Parts[UnifiedIO2]:
    """A network of one layer, its batches, and a validator of two batches."""
    nano = ModelConfig.named("nano")
    small = dataclasses.replace(
        nano.transformer, num_encoder_layers=1, num_decoder_layers=1, dropout_rate=config.dropout_rate
    )
    text = RandomText(config.seed, config.batch_size, config.length)

    def held_out(on_damage: Callable[[ExampleError], None] = lambda error: None) -> Iterator[Batch]:
        other = RandomText(config.seed + 1, config.batch_size, config.length)
        return (other.make(step)[0] for step in range(2))

    return Parts(
        network=UnifiedIO2(nano.replace(transformer=small, input_modalities=("text",), image_tower=None)),
        batches=text,
        objective=TokenLoss(1e-4),
        bundle=NetworkBundle(Vocabulary.default()),
        validators={"copy": Validator(held_out)},
        identity={"text": {"length": config.length}},
        notes=["random text"],
    )


EXPERIMENT = Experiment(schema=ToyConfig, build=build, description="Train a small network on random text.")
