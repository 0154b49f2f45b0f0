"""Sound files -> mono waveforms at 16 kHz: wav through the standard library, everything else through ffmpeg."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embodio.model.audio_features import SAMPLE_RATE
from embodio.model.audio_resample import resample, to_mono
from embodio.model.ffmpeg import MediaError, require_file, run_ffmpeg

Floats = npt.NDArray[np.float32]


def read_sound(path: str | Path) -> Floats:
    """Reads a sound file, or the sound of a video file.

    Args:
        path: wav, flac, mp3, ogg, m4a, mp4 or whatever else ffmpeg reads; any rate, any number of channels.

    Returns:
        float32 [samples] in [-1, 1] at 16 kHz, the mean of the channels.

    Raises:
        MediaError: the file is absent or damaged, or has no sound.
    """
    file = require_file(path)
    try:
        with wave.open(str(file), "rb") as reader:
            recorded, rate = _samples(reader), reader.getframerate()
    except (wave.Error, EOFError):  # no wav file, or one of a kind that the module does not know
        return _read_with_ffmpeg(path)
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


def _read_with_ffmpeg(path: str | Path) -> Floats:
    options = ["-map", "0:a:0", "-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "f32le", "pipe:1"]
    try:
        data, _ = run_ffmpeg(path, options)
    except MediaError as error:
        if "matches no streams" in str(error):
            raise MediaError(f"{path}: the file has no sound") from error
        raise
    if not data:
        raise MediaError(f"{path}: the file has no samples")
    return np.frombuffer(data, dtype="<f4").astype(np.float32)
