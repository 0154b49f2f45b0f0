"""A sound that went to its log-mel spectrogram and back still has the same spectrogram, pitch and place in time."""

import numpy as np
import pytest
import torch

from embodio.model import BatchError
from embodio.model.processing.audio_features import HOP, SAMPLE_RATE, log_mel, mel_filters, mel_power
from embodio.model.tokenizers.griffin_lim import griffin_lim, mel_to_power

FRAMES = 64


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Two tones, one after the other, over faint noise."""
    time = np.arange((FRAMES - 1) * HOP) / SAMPLE_RATE
    tone = np.where(time < 0.5, np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 1760 * time))
    return (0.3 * tone + 1e-3 * np.random.default_rng(0).standard_normal(time.size)).astype(np.float32)


@pytest.fixture(scope="module")
def rebuilt(sound: np.ndarray) -> np.ndarray:
    spectrogram, _ = log_mel(mel_power(sound))
    return griffin_lim(torch.from_numpy(spectrogram)[None])[0].numpy()


def test_spectrogram_of_the_result_is_the_one_asked_for(sound: np.ndarray, rebuilt: np.ndarray) -> None:
    assert rebuilt.shape == sound.shape
    wanted, found = (np.sqrt(mel_power(waveform)) for waveform in (sound, rebuilt))
    assert np.linalg.norm(found - wanted) / np.linalg.norm(wanted) < 0.15


def test_pitch_and_loudness_survive(sound: np.ndarray, rebuilt: np.ndarray) -> None:
    for start in (2000, 10_000):
        pitches = [np.abs(np.fft.rfft(waveform[start : start + 4096])).argmax() for waveform in (sound, rebuilt)]
        assert abs(pitches[0] - pitches[1]) <= 4  # bins of 3.9 Hz; a mel band is 40 Hz wide there
        parts = [float(np.std(waveform[start : start + 4096])) for waveform in (sound, rebuilt)]
        assert parts[1] == pytest.approx(parts[0], rel=0.25)


def test_mel_power_is_inverted_without_negative_power() -> None:
    mel = mel_power(np.random.default_rng(1).standard_normal(8 * HOP).astype(np.float32) * 0.3)
    power = mel_to_power(torch.from_numpy(mel)[None])[0].numpy()
    assert (power >= 0).all()
    assert np.linalg.norm(power @ mel_filters().T - mel) / np.linalg.norm(mel) < 0.02


def test_seeds_and_shapes() -> None:
    spectrogram = torch.randn(2, 6, 128) - 4
    first, again, other = (griffin_lim(spectrogram, iterations=2, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    alone = griffin_lim(spectrogram[1:], iterations=2, seed=3)
    assert torch.allclose(first[1:], alone, atol=1e-5)
    for wrong in (spectrogram[0], spectrogram[:, :3]):
        with pytest.raises(BatchError, match="time >= 4"):
            griffin_lim(wrong)
