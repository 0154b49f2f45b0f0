"""The Unified-IO 2 network: its tokens, its input processing, decoding, weights in and out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embodio.model.config.model import ModelConfig
    from embodio.model.errors import BatchError, ConfigError, DecodingError, ModelError, WeightsError
    from embodio.model.example import Example
    from embodio.model.inference.decoding import DecoderState
    from embodio.model.inference.quantised import QuantisedUnifiedIO2, quantise
    from embodio.model.layers.token_sequence import TokenSequence
    from embodio.model.network.batch import CollateError, collate
    from embodio.model.network.loss import LossOutput, ModalityLoss, TargetOutput
    from embodio.model.network.network import Batch, UnifiedIO2
    from embodio.model.processing.audio import cut_segments, resample, to_mono
    from embodio.model.processing.audio_features import AudioError, Spectrogram
    from embodio.model.processing.image import GeometryError
    from embodio.model.processing.media_files import MediaError
    from embodio.model.processing.processor import Processor, ProcessorError
    from embodio.model.processing.sound_files import read_sound
    from embodio.model.processing.video_files import Clip, read_video
    from embodio.model.tasks import AnswerError, PromptError, Prompts, TaskError, TaskRunner
    from embodio.model.tasks.locations.codec import LocationCodec, LocationError
    from embodio.model.tokenizers.vocoder import Vocoder, VocoderConfig, load_vocoder, spectrogram_to_waveform
    from embodio.model.tokens.statistics import DatasetStatistics, FieldStatistics, Normaliser, StatisticsError
    from embodio.model.tokens.vocabulary import Vocabulary, VocabularyError
    from embodio.model.weights.pretrained import DtypePolicy, load, load_jax, save_reference
    from embodio.model.weights.weights import load_weights, save_weights

# Loaded on first use: the configuration, the vocabulary and the statistics come without torch.
_HOMES = {
    "AnswerError": "tasks",
    "AudioError": "processing.audio_features",
    "Batch": "network.network",
    "BatchError": "errors",
    "Clip": "processing.video_files",
    "CollateError": "network.batch",
    "ConfigError": "errors",
    "DatasetStatistics": "tokens.statistics",
    "DecoderState": "inference.decoding",
    "DecodingError": "errors",
    "DtypePolicy": "weights.pretrained",
    "Example": "example",
    "FieldStatistics": "tokens.statistics",
    "GeometryError": "processing.image",
    "LocationCodec": "tasks.locations.codec",
    "LocationError": "tasks.locations.codec",
    "LossOutput": "network.loss",
    "MediaError": "processing.media_files",
    "ModalityLoss": "network.loss",
    "ModelConfig": "config.model",
    "ModelError": "errors",
    "Normaliser": "tokens.statistics",
    "Processor": "processing.processor",
    "ProcessorError": "processing.processor",
    "PromptError": "tasks",
    "Prompts": "tasks",
    "QuantisedUnifiedIO2": "inference.quantised",
    "Spectrogram": "processing.audio_features",
    "StatisticsError": "tokens.statistics",
    "TargetOutput": "network.loss",
    "TaskError": "tasks",
    "TaskRunner": "tasks",
    "TokenSequence": "layers.token_sequence",
    "UnifiedIO2": "network.network",
    "Vocabulary": "tokens.vocabulary",
    "VocabularyError": "tokens.vocabulary",
    "Vocoder": "tokenizers.vocoder",
    "VocoderConfig": "tokenizers.vocoder",
    "WeightsError": "errors",
    "collate": "network.batch",
    "cut_segments": "processing.audio",
    "load": "weights.pretrained",
    "load_jax": "weights.pretrained",
    "load_vocoder": "tokenizers.vocoder",
    "load_weights": "weights.weights",
    "prepare": "inference.prepared",
    "quantise": "inference.quantised",
    "read_sound": "processing.sound_files",
    "read_video": "processing.video_files",
    "resample": "processing.audio",
    "save_reference": "weights.pretrained",
    "save_weights": "weights.weights",
    "spectrogram_to_waveform": "tokenizers.vocoder",
    "to_mono": "processing.audio",
}

__all__ = [
    "AnswerError",
    "AudioError",
    "Batch",
    "BatchError",
    "Clip",
    "CollateError",
    "ConfigError",
    "DatasetStatistics",
    "DecoderState",
    "DecodingError",
    "DtypePolicy",
    "Example",
    "FieldStatistics",
    "GeometryError",
    "LocationCodec",
    "LocationError",
    "LossOutput",
    "MediaError",
    "ModalityLoss",
    "ModelConfig",
    "ModelError",
    "Normaliser",
    "Processor",
    "ProcessorError",
    "PromptError",
    "Prompts",
    "QuantisedUnifiedIO2",
    "Spectrogram",
    "StatisticsError",
    "TargetOutput",
    "TaskError",
    "TaskRunner",
    "TokenSequence",
    "UnifiedIO2",
    "Vocabulary",
    "VocabularyError",
    "Vocoder",
    "VocoderConfig",
    "WeightsError",
    "collate",
    "cut_segments",
    "load",
    "load_jax",
    "load_vocoder",
    "load_weights",
    "prepare",
    "quantise",
    "read_sound",
    "read_video",
    "resample",
    "save_reference",
    "save_weights",
    "spectrogram_to_waveform",
    "to_mono",
]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
