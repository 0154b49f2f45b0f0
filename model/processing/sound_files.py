"""Sound files: reads mono waveforms at 16 kHz, wav with the standard library and other formats with PyAV."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embodio.model.processing.audio import resample, to_mono
from embodio.model.processing.audio_features import SAMPLE_RATE
from embodio.model.processing.media_files import MediaError, open_media, require_file, unreadable

if TYPE_CHECKING:
    from av.container import InputContainer

Floats = npt.NDArray[np.float32]


class SoundTooLong(MediaError):
    """A sound is intact, but longer than it may be."""


def read_sound(path: str | Path, data: bytes | None = None, longest: float = math.inf) -> Floats:
    """Reads a sound file, or the sound of a video file.

    Args:
        path: wav, flac, mp3, ogg, m4a, mp4 or another container that ffmpeg reads; any rate, any number of channels.
        data: content of the file, where it is part of another one; `path` is then only a name for errors.
        longest: seconds; a longer sound is refused before all of it is in memory.

    Returns:
        float32 [samples] in [-1, 1] at 16 kHz, the mean of the channels.

    Raises:
        MediaError: the file is absent or damaged, or has no sound.
        SoundTooLong: it has too much of it.
    """
    source = str(require_file(path)) if data is None else io.BytesIO(data)
    try:
        with wave.open(source, "rb") as reader:
            _require_length(path, reader.getnframes() / max(1, reader.getframerate()), longest)
            recorded, rate = _samples(reader), reader.getframerate()
    except (wave.Error, EOFError):  # no wav file, or one of a kind that the module does not know
        return _read_with_av(path, data, longest)
    if not recorded.size:
        raise MediaError(f"{path}: the file has no samples")
    return resample(to_mono(recorded), rate)


def _samples(reader: wave.Wave_read) -> npt.NDArray[np.generic]:
    """Returns all samples of a wav file [samples, channels], signed integers that fill their range."""
    width, channels = reader.getsampwidth(), reader.getnchannels()
    data = reader.readframes(reader.getnframes())
    data = data[: len(data) // (width * channels) * width * channels]  # a recording may have been cut off
    if width == 1:  # the only unsigned kind
        return (np.frombuffer(data, dtype=np.uint8).astype(np.int16) - 128).astype(np.int8).reshape(-1, channels)
    if width == 3:
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        return wide.view("<i4").reshape(-1, channels)
    return np.frombuffer(data, dtype=f"<i{width}").reshape(-1, channels)


def _require_length(path: str | Path, seconds: float, longest: float) -> None:
    if seconds > longest:
        raise SoundTooLong(f"{path}: the sound lasts longer than {longest:g} s")


def _read_with_av(path: str | Path, data: bytes | None, longest: float) -> Floats:
    import av

    container = open_media(path, data)
    try:
        if not container.streams.audio:
            raise MediaError(f"{path}: the file has no sound")
        parts, samples = list[Floats](), 0
        for part in _resampled(container):
            parts.append(part)
            samples += len(part)
            _require_length(path, samples / SAMPLE_RATE, longest)
    except av.FFmpegError as error:
        raise unreadable(path, error) from error
    finally:
        container.close()
    if not parts:
        raise MediaError(f"{path}: the file has no samples")
    return np.concatenate(parts)


def _resampled(container: InputContainer) -> Iterator[Floats]:
    """The mean of the channels at 16 kHz, float32 [samples], a piece at a time; damaged packets are left out."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    for packet in container.demux(container.streams.audio[0]):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in frames:
            yield from (piece.to_ndarray()[0] for piece in resampler.resample(frame))
    yield from (piece.to_ndarray()[0] for piece in resampler.resample(None))
