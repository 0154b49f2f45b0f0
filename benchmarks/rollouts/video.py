"""Videos of episodes: frames go to the encoder as they come; the file gets its name when the outcome is known."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from types import TracebackType

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt


class EpisodeVideo:
    """Writes one mp4 (H.264). A context; `finish` keeps the video, leaving the context without it drops the file.

    Args:
        folder: Where to; made if it is not there.
        stem: Beginning of the file name, unique among the episodes of the folder.
        fps: Frames per second, the control frequency for real time.
    """

    def __init__(self, folder: Path, stem: str, fps: float) -> None:
        self._folder, self._stem, self._fps = folder, re.sub(r"[^\w.-]+", "-", stem), fps
        self._part = folder / f".{self._stem}.part.mp4"
        self._encoder: Generator[None, object, None] | None = None

    def __enter__(self) -> EpisodeVideo:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Adds a frame, uint8 [H, W, 3], RGB, upright; all of one size, which is even."""
        if self._encoder is None:
            height, width, _ = frame.shape
            self._encoder = imageio_ffmpeg.write_frames(
                str(self._part),
                (width, height),
                fps=self._fps,
                codec="libx264",
                quality=None,
                macro_block_size=2,
                output_params=["-crf", "23", "-movflags", "+faststart"],
            )
            self._encoder.send(None)
        self._encoder.send(np.ascontiguousarray(frame))

    def finish(self, outcome: str) -> str | None:
        """Ends the file and gives it its name, which ends with the outcome.

        Returns:
            The file name inside the folder; None if there was no frame.
        """
        if self._encoder is None:
            return None
        self._close()
        name = f"{self._stem}-{outcome}.mp4"
        self._part.replace(self._folder / name)
        return name

    def _close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._part.unlink(missing_ok=True)
