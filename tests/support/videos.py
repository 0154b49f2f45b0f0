"""Videos whose every frame says in black and white blocks which number it has, written with PyAV."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

CODECS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg4", "mjpeg", "ffv1")
UNIT = Fraction(1, 12_800)
_QUIET = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"svtav1-params": "fast-decode=1", "preset": "12"}}


def marked(number: int, height: int = 64, width: int = 64) -> npt.NDArray[np.uint8]:
    """A picture [H, W, 3] that says a number below 65536."""
    bits = np.array([number >> place & 1 for place in range(16)], np.uint8).reshape(4, 4) * 200 + 20
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return np.ascontiguousarray(np.broadcast_to(bits[rows][:, columns][..., None], (height, width, 3)))


def number_of(picture: npt.NDArray[np.uint8]) -> int:
    """What a picture of `marked` says."""
    height, width = picture.shape[:2]
    blocks = picture[height // 8 :: height // 4, width // 8 :: width // 4, 0][:4, :4] > 120
    return int(sum(int(bit) << place for place, bit in enumerate(blocks.reshape(-1))))


def ramp(number: int, height: int = 64, width: int = 64, most: int = 65_535) -> npt.NDArray[np.uint16]:
    """A depth picture [H, W] that differs in every pixel and for every number."""
    return ((np.arange(height * width).reshape(height, width) * 7 + number * 977) % (most + 1)).astype(np.uint16)


def write_video(
    path: Path,
    numbers: Sequence[int],
    times: Sequence[float],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = (64, 64),
    options: dict[str, str] | None = None,
    unit: Fraction = UNIT,
    container: dict[str, str] | None = None,
) -> Path:
    """Writes one marked frame for each number, shown at the time (in seconds) with the same place.

    Args:
        path: the file; its suffix chooses the container.
        numbers: what the frames say.
        times: ascending.
        codec: of PyAV.
        pixels: pixel format; those of more than 8 bits of grey get `ramp`.
        size: height and width.
        options: of the codec.
        unit: of time, in seconds.
        container: options of the container.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _same_priority(), av.open(str(path), "w", container_options=container or {}) as out:
        stream = out.add_stream(codec, rate=10, options=_QUIET.get(codec, {}) | (options or {}))
        stream.height, stream.width, stream.pix_fmt = size[0], size[1], pixels
        stream.codec_context.time_base = unit
        for number, time in zip(numbers, times, strict=True):
            frame = _frame(number, pixels, size)
            frame.pts, frame.time_base = round(Fraction(time) / unit), unit
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@contextmanager
def _same_priority() -> Iterator[None]:
    """Gives this thread its scheduling back: SVT-AV1, opened by root, makes it one that starves all others."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _frame(number: int, pixels: str, size: tuple[int, int]) -> av.VideoFrame:
    if not pixels.startswith("gray1"):
        return av.VideoFrame.from_ndarray(marked(number, *size), format="rgb24")
    bits = int(pixels[4:6])
    frame = av.VideoFrame(size[1], size[0], pixels)
    plane = frame.planes[0]
    rows = np.zeros((size[0], plane.line_size // 2), "<u2")
    rows[:, : size[1]] = ramp(number, *size, most=(1 << bits) - 1)
    plane.update(rows.tobytes())
    return frame
