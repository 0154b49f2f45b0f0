"""Log-mel spectrograms of waveforms in NumPy, for audio inputs and audio targets.

A segment is 4.08 s at 16 kHz, 65,280 samples, and becomes 256 frames of 128 mel bands (paper, section 3.1 and
appendix B.1). The numbers follow librosa's defaults, as the released weights were trained on its spectrograms:
a window of 1024 samples every 256, centred on its frame, the sound mirrored at both ends, Slaney's mel scale.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from embodio.model.errors import ModelError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SAMPLE_RATE = 16_000
"""Sampling rate in Hz of all waveforms of the model."""
WINDOW = 1024
"""Number of samples in one frame of the Fourier transform."""
HOP = 256
"""Number of samples between frames."""
FLOOR, CEILING = 1e-5, 1e5
"""Mel power is clipped to this range before the logarithm."""
SILENCE = np.float32(np.log(FLOOR))
"""The logarithm of mel power without sound."""

# Slaney's mel scale: 200 / 3 Hz for one mel up to 1000 Hz, above it 27 mel for a factor of 6.4.
_HERTZ_PER_MEL = 200 / 3
_BREAK_HERTZ = 1000.0
_BREAK_MEL = _BREAK_HERTZ / _HERTZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27
# Decoders of compressed sound overshoot 1 a little; anything beyond this are integers that nobody scaled.
_LOUDEST = 4.0


class AudioError(ModelError, ValueError):
    """A waveform or spectrogram of a wrong shape, type or range; the message says which and what to do."""


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Mel power of one segment of sound, before the logarithm.

    Attributes:
        power: float [T, M], time first, not negative. Cells that are exactly 0 hold no sound and are masked.
    """

    power: Floats

    def __post_init__(self) -> None:
        """Checks the array.

        Raises:
            AudioError: not a float array of two dimensions, or a negative, infinite or undefined cell.
        """
        power = self.power
        if not isinstance(power, np.ndarray) or power.ndim != 2 or not np.issubdtype(power.dtype, np.floating):
            raise AudioError(f"power: expected a float array [time, mel], found {_describe(power)}")
        if not (np.isfinite(power).all() and (power >= 0).all()):
            raise AudioError("power: cells must be finite and not negative; give the power, not its logarithm")


def segment_samples(frames: int) -> int:
    """The number of samples of a spectrogram of that many frames: 65,280 for 256."""
    return (frames - 1) * HOP


def require_waveform(waveform: object, name: str = "waveform") -> Floats:
    """Checks a waveform and returns it as float32 [samples].

    Raises:
        AudioError: not one-dimensional float samples, none at all, undefined ones, or samples that were not scaled.
    """
    if not isinstance(waveform, np.ndarray) or waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise AudioError(
            f"{name}: expected mono sound, float [samples] in [-1, 1] at {SAMPLE_RATE} Hz, found {_describe(waveform)};"
            " `to_mono` averages channels and scales integers, `resample` changes the rate"
        )
    if not waveform.size:
        raise AudioError(f"{name}: the sound has no samples; leave it out")
    loudest = np.abs(waveform).max()
    if not loudest <= _LOUDEST:  # also false for NaN
        raise AudioError(
            f"{name}: samples must lie in [-1, 1], found {loudest:g}; divide integer samples by their largest value"
        )
    return waveform.astype(np.float32, copy=False)


def mel_power(waveform: Floats, bands: int = 128, frames: slice = slice(None)) -> Floats:
    """Computes the mel power spectrogram of a waveform.

    Args:
        waveform: float32 [samples] at 16 kHz.
        bands: number of mel bands M between 0 and 8000 Hz.
        frames: which of the frames to compute.

    Returns:
        float32 [1 + samples // 256, M] or as many as are wanted, time first. Frames of digital silence are exactly 0.

    Raises:
        AudioError: what `require_waveform` raises.
    """
    padded = np.pad(require_waveform(waveform), WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][frames]
    spectrum = np.fft.rfft(windows * hann_window(WINDOW)).astype(np.complex64)
    power = spectrum.real**2 + spectrum.imag**2
    # A sparse product: a dense one would round differently with another number of threads.
    return np.ascontiguousarray((_sparse_filters(bands) @ power.T).T)


@lru_cache(maxsize=8)
def _sparse_filters(bands: int) -> csr_array:
    return csr_array(mel_filters(bands))


def log_mel(power: npt.NDArray[np.floating]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Takes the logarithm of mel power.

    Args:
        power: float [..., M]; exactly 0 where there is no sound.

    Returns:
        The natural logarithm of the clipped power, float32 of the same shape and 0 in cells without sound, and bool of
        the same shape that says which cells hold sound.
    """
    present = power != 0
    logarithm = np.log(np.clip(power.astype(np.float32, copy=False), np.float32(FLOOR), np.float32(CEILING)))
    return np.where(present, logarithm, np.float32(0)), present


def filled_log_mel(power: npt.NDArray[np.floating]) -> Floats:
    """The natural logarithm of mel power float [..., M], that of silence in cells without sound; float32."""
    logarithm, present = log_mel(power)
    return np.where(present, logarithm, SILENCE)


@lru_cache(maxsize=8)
def hann_window(size: int) -> Doubles:
    """Returns the symmetric Hann window, float64 [size]: 0 at both ends."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
    window.setflags(write=False)  # it is shared by all callers
    return window


@lru_cache(maxsize=8)
def mel_filters(bands: int = 128, rate: int = SAMPLE_RATE, window: int = WINDOW) -> Floats:
    """Returns the weights of the frequencies of a Fourier transform in each mel band.

    The bands are triangles between neighbouring points of Slaney's mel scale from 0 Hz to half the rate, each divided
    by half its width in Hz, so that all hold the same area.

    Args:
        bands: number of bands M.
        rate: samples per second.
        window: samples of the transform.

    Returns:
        float32 [M, window // 2 + 1].
    """
    edges = mel_to_hertz(np.linspace(0, hertz_to_mel(np.array(rate / 2)), bands + 2))
    frequencies = np.linspace(0, rate / 2, window // 2 + 1)
    low, middle, high = (edges[start : start + bands, None] for start in range(3))
    triangles = np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle))
    filters = np.maximum(triangles, 0).astype(np.float32)
    filters *= (2 / (high - low)).astype(np.float32)
    filters.setflags(write=False)  # they are shared by all callers
    return filters


def hertz_to_mel(hertz: npt.ArrayLike) -> Doubles:
    """Converts frequencies in Hz to Slaney's mel scale, float64 of the same shape."""
    values = np.asarray(hertz, dtype=np.float64)
    above = _BREAK_MEL + np.log(np.maximum(values, _BREAK_HERTZ) / _BREAK_HERTZ) / _LOG_STEP
    return np.where(values < _BREAK_HERTZ, values / _HERTZ_PER_MEL, above)


def mel_to_hertz(mel: npt.ArrayLike) -> Doubles:
    """Converts values on Slaney's mel scale to frequencies in Hz, float64 of the same shape."""
    values = np.asarray(mel, dtype=np.float64)
    above = _BREAK_HERTZ * np.exp(_LOG_STEP * (values - _BREAK_MEL))
    return np.where(values < _BREAK_MEL, values * _HERTZ_PER_MEL, above)


def _describe(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
