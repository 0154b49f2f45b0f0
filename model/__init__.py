"""The Unified-IO 2 network: its tokens, its input processing, decoding, weights in and out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embodio.model.collate import CollateError, collate
    from embodio.model.config import ModelConfig
    from embodio.model.decoding import DecoderState
    from embodio.model.errors import BatchError, ConfigError, DecodingError, ModelError, WeightsError
    from embodio.model.example import Example
    from embodio.model.image_geometry import GeometryError
    from embodio.model.loss import LossOutput, ModalityLoss, TargetOutput
    from embodio.model.network import Batch, UnifiedIO2
    from embodio.model.processor import Processor, ProcessorError
    from embodio.model.statistics import DatasetStatistics, FieldStatistics, Normaliser, StatisticsError
    from embodio.model.token_sequence import TokenSequence
    from embodio.model.vocabulary import Vocabulary, VocabularyError
    from embodio.model.weights import load_weights, save_weights

# Loaded on first use: whoever needs only the configuration, the vocabulary or the statistics does not import torch.
_HOMES = {
    "Batch": "network",
    "BatchError": "errors",
    "CollateError": "collate",
    "ConfigError": "errors",
    "DatasetStatistics": "statistics",
    "DecoderState": "decoding",
    "DecodingError": "errors",
    "Example": "example",
    "FieldStatistics": "statistics",
    "GeometryError": "image_geometry",
    "LossOutput": "loss",
    "ModalityLoss": "loss",
    "ModelConfig": "config",
    "ModelError": "errors",
    "Normaliser": "statistics",
    "Processor": "processor",
    "ProcessorError": "processor",
    "StatisticsError": "statistics",
    "TargetOutput": "loss",
    "TokenSequence": "token_sequence",
    "UnifiedIO2": "network",
    "Vocabulary": "vocabulary",
    "VocabularyError": "vocabulary",
    "WeightsError": "errors",
    "collate": "collate",
    "load_weights": "weights",
    "save_weights": "weights",
}

__all__ = [
    "Batch",
    "BatchError",
    "CollateError",
    "ConfigError",
    "DatasetStatistics",
    "DecoderState",
    "DecodingError",
    "Example",
    "FieldStatistics",
    "GeometryError",
    "LossOutput",
    "ModalityLoss",
    "ModelConfig",
    "ModelError",
    "Normaliser",
    "Processor",
    "ProcessorError",
    "StatisticsError",
    "TargetOutput",
    "TokenSequence",
    "UnifiedIO2",
    "Vocabulary",
    "VocabularyError",
    "WeightsError",
    "collate",
    "load_weights",
    "save_weights",
]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
