"""Griffin-Lim: converts a log-mel spectrogram to a waveform without trained weights, after inverting the mel scale.

A spectrogram has no phases. Griffin and Lim (1984) find some by going back and forth between the waveform and its
Fourier transform; the momentum is that of Perraudin et al. (2013). It sounds rougher than a vocoder.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from embodio.model.errors import BatchError
from embodio.model.processing.audio_features import HOP, WINDOW, hann_window, mel_filters

ITERATIONS = 32
MOMENTUM = 0.99
MEL_ITERATIONS = 100
SMALLEST = 1e-10
SHORTEST = WINDOW // 2 // HOP + 2
"""Frames that a spectrogram must have: the mirrored ends are longer than the sound of fewer."""


@torch.no_grad()
def griffin_lim(log_mel: Tensor, *, iterations: int = ITERATIONS, seed: int = 0) -> Tensor:
    """Waveforms whose log-mel spectrograms are close to the given ones.

    Args:
        log_mel: floating point [B, T, M], natural logarithms of mel power, at least 4 frames.
        iterations: how often the phases are improved.
        seed: of the first, random phases; the same seed gives the same waveform.

    Returns:
        float32 [B, (T - 1) * 256] at 16 kHz.

    Raises:
        BatchError: the spectrograms have another rank or too few frames.
    """
    if log_mel.dim() != 3 or log_mel.shape[1] < SHORTEST:
        raise BatchError(
            f"log_mel must have shape (batch, time >= {SHORTEST}, mel), found {tuple(log_mel.shape)}; "
            "give one spectrogram a batch axis with [None]"
        )
    magnitude = mel_to_power(log_mel.float().exp()).sqrt().transpose(1, 2)
    window = torch.tensor(hann_window(WINDOW), dtype=torch.float32, device=magnitude.device)
    generator = torch.Generator().manual_seed(seed)
    phases = torch.rand(magnitude.shape[1:], generator=generator).to(magnitude.device) * (2.0 * math.pi)
    direction = torch.polar(torch.ones_like(magnitude), phases.expand_as(magnitude))
    previous = torch.zeros_like(direction)
    for _ in range(iterations):
        rebuilt = _transform(_waveform(magnitude * direction, window), window)
        direction = rebuilt - previous * (MOMENTUM / (1.0 + MOMENTUM))
        direction = direction / direction.abs().clamp(min=SMALLEST)
        previous = rebuilt
    return _waveform(magnitude * direction, window)


def mel_to_power(mel: Tensor) -> Tensor:
    """Power of each frequency that gives the mel power of each band: non-negative least squares.

    Args:
        mel: float [B, T, M], not negative.

    Returns:
        float [B, T, 513], not negative; found by multiplicative updates, which keep the sign.
    """
    filters = torch.tensor(mel_filters(mel.shape[-1]), dtype=mel.dtype, device=mel.device)
    wanted = mel @ filters
    power = wanted.clone()
    for _ in range(MEL_ITERATIONS):
        power *= wanted / ((power @ filters.T) @ filters).clamp(min=SMALLEST)
    return power


def _waveform(spectrum: Tensor, window: Tensor) -> Tensor:
    return torch.istft(spectrum, WINDOW, HOP, window=window, center=True)


def _transform(waveform: Tensor, window: Tensor) -> Tensor:
    return torch.stft(waveform, WINDOW, HOP, window=window, center=True, pad_mode="reflect", return_complex=True)
