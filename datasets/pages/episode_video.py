"""A camera's frames of one episode as a small mp4, as bytes for a page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError

_LARGEST_WIDTH = 320
_SCALE = f"scale=w=max(2\\,trunc(min({_LARGEST_WIDTH}\\,iw)/2)*2):h=max(2\\,trunc(ow/iw*ih/2)*2)"


def mp4(frames: Iterable[npt.NDArray[np.uint8]], fps: float) -> bytes:
    """Encodes frames as H.264, at most 320 pixels wide.

    Args:
        frames: uint8 [H, W, C], all of one size; C is 1, 3 or 4 (the fourth channel is left out).
        fps: frames per second.

    Raises:
        DatasetError: there is no frame, or the frames differ in size.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, encoder = Path(folder) / "video.mp4", None
        height, width = 0, 0
        try:
            for frame in frames:
                if encoder is None:
                    height, width = frame.shape[:2]
                    encoder = imageio_ffmpeg.write_frames(
                        str(path),
                        (width, height),
                        fps=fps,
                        codec="libx264",
                        quality=None,
                        macro_block_size=1,
                        output_params=["-vf", _SCALE, "-crf", "23", "-movflags", "+faststart"],
                    )
                    encoder.send(None)
                if frame.shape[:2] != (height, width):
                    raise DatasetError(
                        f"frames differ in size: {(height, width)} and {frame.shape[:2]}; resize them first"
                    )
                encoder.send(_rgb(frame))
        finally:
            if encoder is not None:
                encoder.close()
        if encoder is None:
            raise DatasetError("an episode without frames has no video; filter empty episodes")
        return path.read_bytes()


def _rgb(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    colours = np.repeat(frame, 3, axis=2) if frame.shape[2] == 1 else frame[..., :3]
    return np.ascontiguousarray(colours)
