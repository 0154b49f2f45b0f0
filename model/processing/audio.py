"""Audio preprocessing: converts sound to mono 16 kHz segments, spectrogram patches and targets."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import gcd

import numpy as np
import numpy.typing as npt

from embodio.model.processing.audio_features import (
    SAMPLE_RATE,
    AudioError,
    Spectrogram,
    log_mel,
    require_waveform,
    segment_samples,
)

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
    """Resamples a sound with a windowed-sinc low-pass filter.

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
    count = -(-len(sound) * up // down)
    reach, filters = _filters(up, down, min(up, count))
    padded = np.pad(sound, (reach, reach + down + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    out = np.empty(count, dtype=np.float32)
    for phase, own in enumerate(filters):  # samples phase, phase + up, ... lie at the same place between old samples
        places = out[phase::up]
        first = phase * down // up
        places[:] = np.einsum("nk,k->n", windows[first::down][: len(places)], own)
    return out


@lru_cache(maxsize=48)
def _filters(up: int, down: int, phases: int) -> tuple[int, Floats]:
    """Returns the reach in old samples and filters for places between them, float32 [phases, 2 * reach + 1]."""
    cutoff = _EDGE * min(1.0, up / down)  # share of the old Nyquist frequency
    reach = int(np.ceil(_CROSSINGS / cutoff))
    shares = (np.arange(phases) * down % up) / up
    distance = np.arange(-reach, reach + 1)[None, :] - shares[:, None]
    window = np.i0(_KAISER * np.sqrt(np.maximum(0, 1 - (distance / (reach + 1)) ** 2))) / np.i0(_KAISER)
    filters = cutoff * np.sinc(cutoff * distance) * window
    filters /= filters.sum(axis=1, keepdims=True)
    return reach, filters.astype(np.float32)


SEGMENT_SAMPLES = segment_samples(256)
"""Samples of one segment of the released models: 4.08 s."""

SPARE_SAMPLES = SAMPLE_RATE // 10
"""Samples (0.1 s) of a rest that do not count: without them it must fill more than half a segment to be one."""


def count_segments(samples: int, segment: int = SEGMENT_SAMPLES) -> int:
    """Returns into how many segments a sound is cut.

    All full ones, one more if the rest without 0.1 s is longer than half a segment, and at least one.

    Args:
        samples: length of the sound.
        segment: length of a segment in samples.

    Raises:
        AudioError: there are no samples.
    """
    if samples < 1:
        raise AudioError("the sound has no samples; leave it out")
    full, rest = divmod(samples, segment)
    return max(1, full + (2 * (rest - SPARE_SAMPLES) > segment))


def cut_segments(waveform: Floats, segment: int = SEGMENT_SAMPLES) -> list[Floats]:
    """Cuts a sound into consecutive segments, oldest first (`count_segments` says how many).

    The last one is filled up with zeros; a rest that is too short for a segment of its own is dropped.

    Args:
        waveform: float32 [samples] at 16 kHz.
        segment: length of a segment in samples.

    Returns:
        One or more float32 [segment].

    Raises:
        AudioError: the waveform is not mono float samples, or empty.
    """
    sound = require_waveform(waveform)
    count = count_segments(len(sound), segment)
    return list(fit_length(sound, count * segment).reshape(count, segment))


def segments_of_parts(waveform: Floats, seconds: float, parts: int, segment: int = SEGMENT_SAMPLES) -> list[Floats]:
    """Cuts the sound of a video into one segment for each of its equal parts, oldest first.

    Parts longer than a segment are cropped to their middle; shorter ones are centred in a segment of zeros.

    Args:
        waveform: float32 [samples] at 16 kHz; padded with zeros if the video is longer.
        seconds: length of the video.
        parts: number of parts, one for each frame.
        segment: length of a segment in samples.

    Returns:
        `parts` times float32 [segment].

    Raises:
        AudioError: the waveform is not mono float samples or empty, or there is less than one part or sample.
    """
    sound = require_waveform(waveform)
    total = int(seconds * SAMPLE_RATE)
    if parts < 1 or total < parts:
        raise AudioError(f"cannot cut {seconds} s of sound into {parts} parts; give a longer sound or fewer parts")
    sound = fit_length(sound, total)
    edges = [total * i // parts for i in range(parts + 1)]
    result = []
    for start, end in pairwise(edges):
        spare = segment - (end - start)
        if spare >= 0:
            result.append(np.pad(sound[start:end], (spare // 2, spare - spare // 2)))
        else:
            first = (start + end - segment) // 2
            result.append(sound[first : first + segment])
    return result


def fit_length(waveform: Floats, samples: int) -> Floats:
    """Truncates a waveform [n], or pads it with zeros at the end; float32 [samples]."""
    if len(waveform) >= samples:
        return waveform[:samples]
    return np.pad(waveform, (0, samples - len(waveform)))


Ints = npt.NDArray[np.int32]

# Mean and spread of log-mel cells that inputs were normalised with (2 * 4.57 as the audio transformer's authors have
# it), and those of the tokeniser of targets.
INPUT_MEAN, INPUT_STD = np.float32(-4.26), np.float32(9.14)
TARGET_MEAN, TARGET_STD = np.float32(-5.0945), np.float32(3.8312)


def spectrogram_to_patches(sound: Spectrogram, size: tuple[int, int], patch: int) -> tuple[Floats, Ints]:
    """Normalises a spectrogram and cuts it into patches (paper, section 3.1).

    Args:
        sound: mel power [T, M].
        size: the (time, mel) cells that the model takes; multiples of `patch`.
        patch: side of a patch in cells.

    Returns:
        float32 [N, patch * patch], patches and their cells in (time, mel) order; and int32 [N], 1 where the cell in the
        middle of the patch holds sound. Cells without sound are 0 before they are normalised.

    Raises:
        AudioError: the spectrogram has another size.
    """
    cells, present = _log_cells(sound, size)
    normal = (cells - INPUT_MEAN) / INPUT_STD
    rows, columns = size[0] // patch, size[1] // patch
    grid = normal.reshape(rows, patch, columns, patch).transpose(0, 2, 1, 3)
    return grid.reshape(rows * columns, patch * patch), _centres(present, (patch, patch))


def spectrogram_to_target(sound: Spectrogram, size: tuple[int, int], patch: tuple[int, int]) -> tuple[Floats, Ints]:
    """Normalises a spectrogram for the tokeniser of audio targets.

    Args:
        sound: mel power [T, M].
        size: the (time, mel) cells that the tokeniser takes.
        patch: (time, mel) cells of one code.

    Returns:
        float32 [T, M, 1]; and int32 [N], 1 where the middle of the code's cells holds sound, in (time, mel) order.

    Raises:
        AudioError: the spectrogram has another size.
    """
    cells, present = _log_cells(sound, size)
    return ((cells - TARGET_MEAN) / TARGET_STD)[..., None], _centres(present, patch)


def target_to_power(target: npt.NDArray[np.floating]) -> Floats:
    """Inverts normalisation and logarithm of a target or generated spectrogram: mel power, float32, same shape."""
    return np.exp(target.astype(np.float32) * TARGET_STD + TARGET_MEAN)


def _log_cells(sound: Spectrogram, size: tuple[int, int]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    if sound.power.shape != tuple(size):
        hint = "; transpose it" if sound.power.shape == tuple(size)[::-1] else ""
        raise AudioError(f"expected a spectrogram [time, mel] of {tuple(size)} cells, found {sound.power.shape}{hint}")
    return log_mel(sound.power)


def _centres(present: npt.NDArray[np.bool_], patch: tuple[int, int]) -> Ints:
    return present[patch[0] // 2 :: patch[0], patch[1] // 2 :: patch[1]].reshape(-1).astype(np.int32)
