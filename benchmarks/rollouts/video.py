"""Videos of episodes: frames are encoded as they arrive; the file is named once the outcome is known."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from embodio.datasets.codecs.video import VideoWriter, playable
from embodio.model.writing import put_in_place, write_errors


class EpisodeVideo:
    """A context that writes one mp4 (H.264); `finish` keeps the video, leaving the context without it deletes the file.

    Args:
        folder: Where the file goes; made if missing.
        stem: Beginning of the file name, unique among the episodes of the folder.
        fps: Frames per second, the control frequency for real time.
    """

    def __init__(self, folder: Path, stem: str, fps: float) -> None:
        self._folder, self._stem = folder, re.sub(r"[^\w.-]+", "-", stem)
        self._writer = VideoWriter(folder / f".{self._stem}.mp4", fps)

    def __enter__(self) -> EpisodeVideo:
        with write_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Adds a frame, uint8 [H, W, 3], RGB, upright; all frames have one size.

        Raises:
            DatasetError: the frames differ in size.
            WriteError: the disk is full, or the file cannot be written.
        """
        self._writer.add(playable(frame))

    def finish(self, outcome: str) -> str | None:
        """Ends the file and gives it its name, which ends with the outcome.

        Returns:
            The file name inside the folder; None if there was no frame.

        Raises:
            WriteError: the disk is full, or the file cannot be written.
        """
        if not self._writer.frames:
            return None
        self._writer.close()
        name = f"{self._stem}-{outcome}.mp4"
        put_in_place(self._writer.path, self._folder / name)
        return name

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.discard()
        self._writer.path.unlink(missing_ok=True)
