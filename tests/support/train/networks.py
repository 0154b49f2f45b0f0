"""Folders of small networks for `init=`."""

from __future__ import annotations

from pathlib import Path

import torch

from embodio.model.config.model import ModelConfig
from embodio.model.network.network import UnifiedIO2
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.bundles import NetworkBundle


def write_generalist(folder: Path) -> Path:
    """Writes a network of size nano_generalist with random weights, always the same, and the vocabulary nano."""
    vocabulary = Vocabulary.nano()
    torch.manual_seed(0)
    network = UnifiedIO2(ModelConfig.named("nano_generalist", vocab_size=vocabulary.padded_size))
    NetworkBundle(vocabulary).write(folder, network)
    return folder
