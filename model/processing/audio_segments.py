"""Cutting sound of any length into the segments of 4.08 s that the model takes, and fitting short sound into one."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from embodio.model.processing.audio_features import SAMPLE_RATE, AudioError, require_waveform, segment_samples

Floats = npt.NDArray[np.float32]

SEGMENT_SAMPLES = segment_samples(256)
"""Samples of one segment of the released models: 4.08 s."""

# A rest of a recording is a segment of its own if what is left of it after these samples (0.1 s) fills more than half.
_SPARE_SAMPLES = SAMPLE_RATE // 10


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
    return max(1, full + (2 * (rest - _SPARE_SAMPLES) > segment))


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

    Parts longer than a segment give their middle; shorter ones lie in the middle of a segment, zeros around them.

    Args:
        waveform: float32 [samples] at 16 kHz; filled up with zeros if the video is longer.
        seconds: length of the video.
        parts: number of parts, one for each frame that is taken.
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
    """Cuts a waveform [n] to a length, or fills it up with zeros at the end; float32 [samples]."""
    if len(waveform) >= samples:
        return waveform[:samples]
    return np.pad(waveform, (0, samples - len(waveform)))
