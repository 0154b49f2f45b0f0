"""Log-spectral distance: root mean square difference of two log-mel spectrograms in decibels."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from embodio.datasets.metrics.parts.metric import Doubles, MeanMetric, given, lower
from embodio.model.example import Sound
from embodio.model.processing.audio_features import SILENCE, Spectrogram, filled_log_mel, mel_power
from embodio.model.tasks.families.make_sound import SoundItem

DECIBELS = 10.0 / math.log(10.0)
"""Decibels of power for 1 in a natural logarithm of power."""


class LogSpectralDistance(MeanMetric[SoundItem]):
    """The mean over sounds; the shorter one is filled up with silence, and an unreadable answer is silent."""

    figures = lower("log_spectral_distance")
    reads = ("sound",)
    unbounded = ("log_spectral_distance",)

    def measure(self, found: SoundItem | None, truth: SoundItem) -> dict[str, float]:
        """Decibels of one sound."""
        right = _log_mel(given(truth, "sound"))
        own = np.zeros((0, right.shape[1])) if found is None else _log_mel(given(found, "sound"))
        length = max(len(right), len(own))
        pair = (torch.from_numpy(_filled(one, length))[None] for one in (right, own))
        return {"log_spectral_distance": float(log_spectral_distance(*pair))}


def log_spectral_distance(one: Tensor, other: Tensor) -> Tensor:
    """Root mean square difference over the mel bands in dB, averaged over time, float [B].

    Args:
        one: log-mel energies, natural logarithms of power, float [B, T, M].
        other: the same.
    """
    return (one - other).square().mean(dim=2).sqrt().mean(dim=1) * DECIBELS


def _log_mel(sound: Sound) -> Doubles:
    """Natural logarithms of mel power, float64 [T, M]."""
    power = sound.power if isinstance(sound, Spectrogram) else mel_power(sound)
    return filled_log_mel(power).astype(np.float64)


def _filled(log_power: Doubles, length: int) -> Doubles:
    return np.pad(log_power, ((0, length - len(log_power)), (0, 0)), constant_values=float(SILENCE))


METRIC = LogSpectralDistance()
