"""The Unified-IO 2 network: its tokens, its input processing, decoding, weights in and out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embodio.model.audio_features import AudioError, Spectrogram
    from embodio.model.audio_resample import resample, to_mono
    from embodio.model.audio_segments import cut_segments
    from embodio.model.collation import CollateError, collate
    from embodio.model.config import ModelConfig
    from embodio.model.decoding import DecoderState
    from embodio.model.errors import BatchError, ConfigError, DecodingError, ModelError, WeightsError
    from embodio.model.example import Example
    from embodio.model.image_geometry import GeometryError
    from embodio.model.locations import LocationCodec, LocationError
    from embodio.model.loss import LossOutput, ModalityLoss, TargetOutput
    from embodio.model.network import Batch, UnifiedIO2
    from embodio.model.pretrained import DtypePolicy, load, load_jax, save_reference
    from embodio.model.processing.media_files import MediaError
    from embodio.model.processor import Processor, ProcessorError
    from embodio.model.quantised import QuantisedUnifiedIO2, quantise
    from embodio.model.runner import AnswerError, PromptError, Prompts, TaskError, TaskRunner
    from embodio.model.sound_files import read_sound
    from embodio.model.statistics import DatasetStatistics, FieldStatistics, Normaliser, StatisticsError
    from embodio.model.token_sequence import TokenSequence
    from embodio.model.video_files import Clip, read_video
    from embodio.model.vocabulary import Vocabulary, VocabularyError
    from embodio.model.vocoder import Vocoder, VocoderConfig, load_vocoder, spectrogram_to_waveform
    from embodio.model.weights import load_weights, save_weights

# Loaded on first use: whoever needs only the configuration, the vocabulary or the statistics does not import torch.
_HOMES = {
    "AnswerError": "runner",
    "AudioError": "audio_features",
    "Batch": "network",
    "BatchError": "errors",
    "Clip": "video_files",
    "CollateError": "collation",
    "ConfigError": "errors",
    "DatasetStatistics": "statistics",
    "DecoderState": "decoding",
    "DecodingError": "errors",
    "DtypePolicy": "pretrained",
    "Example": "example",
    "FieldStatistics": "statistics",
    "GeometryError": "image_geometry",
    "LocationCodec": "locations",
    "LocationError": "locations",
    "LossOutput": "loss",
    "MediaError": "processing.media_files",
    "ModalityLoss": "loss",
    "ModelConfig": "config",
    "ModelError": "errors",
    "Normaliser": "statistics",
    "Processor": "processor",
    "ProcessorError": "processor",
    "PromptError": "runner",
    "Prompts": "runner",
    "QuantisedUnifiedIO2": "quantised",
    "Spectrogram": "audio_features",
    "StatisticsError": "statistics",
    "TargetOutput": "loss",
    "TaskError": "runner",
    "TaskRunner": "runner",
    "TokenSequence": "token_sequence",
    "UnifiedIO2": "network",
    "Vocabulary": "vocabulary",
    "VocabularyError": "vocabulary",
    "Vocoder": "vocoder",
    "VocoderConfig": "vocoder",
    "WeightsError": "errors",
    "collate": "collation",
    "cut_segments": "audio_segments",
    "load": "pretrained",
    "load_jax": "pretrained",
    "load_vocoder": "vocoder",
    "load_weights": "weights",
    "prepare": "prepared",
    "quantise": "quantised",
    "read_sound": "sound_files",
    "read_video": "video_files",
    "resample": "audio_resample",
    "save_reference": "pretrained",
    "save_weights": "weights",
    "spectrogram_to_waveform": "vocoder",
    "to_mono": "audio_resample",
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
