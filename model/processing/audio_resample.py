"""Sound of any rate and any number of channels -> the mono sound at 16 kHz that the model takes."""

from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt

from embodio.model.processing.audio_features import SAMPLE_RATE, AudioError, require_waveform

Floats = npt.NDArray[np.float32]

# Zero crossings of the low-pass filter on either side, its edge as a share of the lower Nyquist frequency, and the
# shape of the Kaiser window: 80 dB below in the stop band.
_CROSSINGS = 32
_EDGE = 0.95
_KAISER = 8.0
_MOST_CHANNELS = 64


def to_mono(sound: npt.NDArray[np.generic]) -> Floats:
    """Averages the channels of a recording and scales integer samples.

    Args:
        sound: [samples] or [samples, channels]: float in [-1, 1], or signed integers that fill their range.

    Returns:
        float32 [samples].

    Raises:
        AudioError: another shape or type, or no samples.
    """
    if not isinstance(sound, np.ndarray) or sound.ndim not in (1, 2):
        raise AudioError("sound: expected an array [samples] or [samples, channels]")
    if sound.ndim == 2 and sound.shape[1] > _MOST_CHANNELS:
        raise AudioError(f"sound: expected [samples, channels], found {list(sound.shape)}; transpose it")
    values = sound
    if np.issubdtype(sound.dtype, np.signedinteger):
        values = sound.astype(np.float64) / 2.0 ** (8 * sound.dtype.itemsize - 1)
    mono = values.mean(axis=1) if values.ndim == 2 else values
    return require_waveform(mono, "sound")


def resample(waveform: Floats, rate: int, new_rate: int = SAMPLE_RATE) -> Floats:
    """Changes the rate of a sound through a windowed-sinc low pass.

    Args:
        waveform: float32 [n], at `rate`.
        rate: its samples per second, a whole number.
        new_rate: samples per second of the result.

    Returns:
        float32 [ceil(n * new_rate / rate)]; sample 0 keeps its place in time.

    Raises:
        AudioError: the waveform is not mono float samples, or a rate is below 1.
    """
    sound = require_waveform(waveform)
    if not all(isinstance(one, (int, np.integer)) and one >= 1 for one in (rate, new_rate)):
        raise AudioError(f"cannot change the rate {rate} Hz to {new_rate} Hz; rates are whole numbers of at least 1")
    if rate == new_rate:
        return sound
    common = gcd(rate, new_rate)
    up, down = new_rate // common, rate // common
    reach, filters = _filters(up, down)
    count = -(-len(sound) * up // down)
    padded = np.pad(sound, (reach, reach + down + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    out = np.empty(count, dtype=np.float32)
    for phase in range(min(up, count)):  # samples phase, phase + up, ... lie at the same place between old samples
        places = out[phase::up]
        first = phase * down // up
        places[:] = np.einsum("nk,k->n", windows[first::down][: len(places)], filters[phase])
    return out


@lru_cache(maxsize=8)
def _filters(up: int, down: int) -> tuple[int, Floats]:
    """Returns the reach in old samples and one filter for each place between them, float32 [up, 2 * reach + 1]."""
    cutoff = _EDGE * min(1.0, up / down)  # share of the old Nyquist frequency
    reach = int(np.ceil(_CROSSINGS / cutoff))
    shares = (np.arange(up) * down % up) / up
    distance = np.arange(-reach, reach + 1)[None, :] - shares[:, None]
    window = np.i0(_KAISER * np.sqrt(np.maximum(0, 1 - (distance / (reach + 1)) ** 2))) / np.i0(_KAISER)
    filters = cutoff * np.sinc(cutoff * distance) * window
    filters /= filters.sum(axis=1, keepdims=True)
    return reach, filters.astype(np.float32)
