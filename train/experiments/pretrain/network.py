"""The network of a pre-training run: a named size with the frozen tokenisers of what it draws and says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from embodio.agent.checkpoint import VOCABULARY
from embodio.agent.released.loading import vocabulary_in
from embodio.model.config.model import ModelConfig
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import Tokenizer, code_rows
from embodio.model.tokenizers.files import load_audio_tokenizer, load_image_tokenizer
from embodio.model.tokens.vocabulary import TEXT_NANO, Vocabulary
from embodio.train.errors import TrainError
from embodio.train.experiments.pretrain.stage import NetworkStageConfig


def opened_vocabulary(place: str) -> Vocabulary:
    """The vocabulary that a setting names: a file, its folder, or text-nano; that of policies if it is empty.

    Raises:
        TrainError: there is no such file.
        VocabularyError: it is not a vocabulary.
    """
    if not place:
        return Vocabulary.default()
    if place == TEXT_NANO:
        return Vocabulary.nano()
    path = Path(place)
    found = vocabulary_in(path) if path.is_dir() else Vocabulary.from_file(path) if path.is_file() else None
    if found is None:
        file = path / VOCABULARY if path.is_dir() else path
        raise TrainError(
            f"vocabulary: {file} does not exist; {TEXT_NANO} ships, embodio-train experiment=tokenizer/text makes one"
        )
    return found


def opened_tokenizers(config: NetworkStageConfig) -> dict[str, Tokenizer]:
    """Target modality -> its frozen tokeniser; raises ConfigError or WeightsError if one cannot be read."""
    found: dict[str, Tokenizer] = {}
    if config.image_tokenizer:
        found["image"] = load_image_tokenizer(config.image_tokenizer)
    if config.audio_tokenizer:
        found["audio"] = load_audio_tokenizer(config.audio_tokenizer)
    return found


def network_config(config: NetworkStageConfig, vocabulary: Vocabulary, tokenizers: dict[str, Tokenizer]) -> ModelConfig:
    """The named size, with tables for this vocabulary and these codes, and the masks of the settings.

    Raises:
        ConfigError: there is no such size.
    """
    size = with_tokenizers(ModelConfig.named(config.size, vocab_size=vocabulary.padded_size), tokenizers)
    return size.replace(
        target_modalities=tuple(name for name in size.target_modalities if name in config.targets),
        dynamic_masking=config.dynamic_masking,
        sparse_decoding=config.sparse_decoding,
    )


def with_tokenizers(size: ModelConfig, tokenizers: Mapping[str, Tokenizer]) -> ModelConfig:
    """A size with tables and lengths for the codes of some tokenisers."""
    lengths, changes = size.lengths, dict[str, object]()
    for name, tokenizer in tokenizers.items():
        codes = tokenizer.config
        lengths = dataclasses.replace(lengths, **{f"decoder_{name}": tokenizer.num_tokens})
        changes[f"{name}_tokenizer"] = codes
        changes[f"{name}_vocab_size"] = code_rows(codes.num_codes)
    return size.replace(lengths=lengths, **changes)


def seen_in_training(config: ModelConfig, share: float) -> ModelConfig:
    """The config by which examples are processed in training: encoders see a share of the patches."""
    sampling = {
        f"{name}_patches": max(1, round(share * min(rows * columns, getattr(config.sampling, f"{name}_patches"))))
        for name, (rows, columns) in config.patch_grids.items()
    }
    return config.replace(sampling=dataclasses.replace(config.sampling, **sampling))


def make_network(config: ModelConfig, tokenizers: dict[str, Tokenizer]) -> UnifiedIO2:
    """A network with random weights and these tokenisers."""
    network = UnifiedIO2(config, tokenizers=bool(tokenizers))
    for name, tokenizer in tokenizers.items():
        network.tokenizers[name].load_state_dict(tokenizer.state_dict())
    return network
