"""Media of samples as bytes of files, the same bytes for the same content."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from embodio.datasets.records.record import Video
from embodio.model.example import Image, Waveform
from embodio.model.processing.audio_features import SAMPLE_RATE

if TYPE_CHECKING:
    from av import AudioFrame

_QUALITY = 92
_AAC_FRAME = 1024  # samples


def jpeg(image: Image) -> bytes:
    """An RGB image, uint8 [H, W, 3], as JPEG of quality 92 with colours at full resolution."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()


def png(array: npt.NDArray[np.generic]) -> bytes:
    """An image without loss: uint8 [H, W] or [H, W, 3], or uint16 [H, W]."""
    buffer = io.BytesIO()
    Pillow.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def depth_png(depth: npt.NDArray[np.float64]) -> bytes:
    """Depths [H, W] in m as a PNG of millimetres, uint16; none is deeper than 65.535 m."""
    return png(np.clip(np.round(depth * 1000), 0, 65535).astype(np.uint16))


def flac(sound: Waveform) -> bytes:
    """A mono sound at 16 kHz, float32 [samples] in [-1, 1], as FLAC of 16 bits."""
    import av

    buffer = io.BytesIO()
    samples = np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
    with av.open(buffer, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.rate = SAMPLE_RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return buffer.getvalue()


def facts(content: Mapping[str, Any]) -> str:
    """Further facts as JSON, by name."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def view_facts(pose: npt.NDArray[np.float64], intrinsics: npt.NDArray[np.float64]) -> dict[str, list[list[float]]]:
    """Pose [4, 4] and intrinsics [3, 3] of a view as plain numbers, rounded to 6 and 4 decimals."""
    return {
        "pose": [[round(float(value), 6) for value in row] for row in pose],
        "intrinsics": [[round(float(value), 4) for value in row] for row in intrinsics],
    }


def mp4(video: Video) -> bytes:
    """A video as H.264 in MP4, with its sound as AAC."""
    import av

    buffer = io.BytesIO()
    _, height, width, _ = video.frames.shape
    with av.open(buffer, "w", format="mp4", container_options={"fflags": "+bitexact"}) as container:
        pictures = container.add_stream("libx264", rate=Fraction(video.rate).limit_denominator(1000))
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        # Where x264 weighs macroblocks by what follows (mbtree), equal videos come out differently now and then.
        pictures.options = {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": "no-mbtree=1"}
        sounds = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono") if video.sound is not None else None
        for pixels in video.frames:
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(pictures.encode(None))
        if sounds is not None and video.sound is not None:
            for frame in _sound_frames(video.sound):
                container.mux(sounds.encode(frame))
            container.mux(sounds.encode(None))
    return buffer.getvalue()


def _sound_frames(sound: Waveform) -> Iterator[AudioFrame]:
    import av

    for begin in range(0, sound.size, _AAC_FRAME):
        frame = av.AudioFrame.from_ndarray(sound[None, begin : begin + _AAC_FRAME], format="fltp", layout="mono")
        frame.rate, frame.pts, frame.time_base = SAMPLE_RATE, begin, Fraction(1, SAMPLE_RATE)
        yield frame
