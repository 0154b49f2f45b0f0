"""H.264 videos, written by mediapy with the ffmpeg of imageio-ffmpeg, and joined without re-encoding."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import tempfile
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.model.writing import DISK_ERRORS, WriteError, partial, put_in_place, replacing

if TYPE_CHECKING:
    import mediapy
    from av.container import OutputContainer

Pixels = npt.NDArray[np.uint8]

_WIDEST = 320  # of a video in a page
# For players: the table of frames comes first.
_FOR_PLAYERS = ("-movflags", "+faststart")
# For data: a key frame at every second frame, none shown out of order, so that any frame is found quickly.
_FOR_RANDOM_ACCESS = ("-g", "2", "-bf", "0", "-threads", "1")


class VideoWriter:
    """A context that writes one mp4; the file gets its name when the context is left without an error.

    Attributes:
        path: the file.
        frames: number of frames added.
    """

    def __init__(self, path: Path, fps: float, *, crf: int = 23, arguments: Sequence[str] = _FOR_PLAYERS) -> None:
        """Sets what is the same for all frames; nothing is written before the first.

        Args:
            path: the file, replaced only when all is written.
            fps: frames per second.
            crf: constant rate factor of x264; lower is better, 17 is nearly lossless.
            arguments: more for ffmpeg.
        """
        self.path, self.frames = path, 0
        self._fps, self._crf, self._arguments = fps, crf, arguments
        self._part = partial(path)
        self._writer: mediapy.VideoWriter | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def add(self, frame: Pixels) -> None:
        """Adds a frame, uint8 [H, W, 3], RGB, upright; sizes that are even play everywhere.

        Raises:
            DatasetError: its size differs from the first one's.
            WriteError: the disk is full, or the file cannot be written.
        """
        if self._writer is None:
            self._writer = self._open(frame.shape[0], frame.shape[1])
        if frame.shape[:2] != self._writer.shape:
            raise DatasetError(f"frames differ in size: {self._writer.shape} and {frame.shape[:2]}; resize them first")
        try:
            self._writer.add_image(frame)
        except BrokenPipeError:  # ffmpeg has ended, and says why when it is closed
            self.close()
        self.frames += 1

    def close(self) -> None:
        """Ends the file and gives it its name; nothing happens if no frame was added.

        Raises:
            WriteError: the disk is full, or the file cannot be written.
        """
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
            put_in_place(self._part, self.path)
        except (RuntimeError, BrokenPipeError) as error:
            raise _unwritten(self.path, error) from error
        finally:
            self._part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Ends the encoder and deletes what it wrote."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(RuntimeError, OSError):
                writer.close()
        self._part.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if error is None else self.discard()

    def _open(self, height: int, width: int) -> mediapy.VideoWriter:
        import imageio_ffmpeg
        import mediapy

        mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
        arguments = list(self._arguments)
        writer = mediapy.VideoWriter(
            self._part, (height, width), codec="libx264", fps=self._fps, crf=self._crf, ffmpeg_args=arguments
        )
        return writer.__enter__()


def _unwritten(path: Path, error: Exception) -> WriteError:
    """The error of an encoder, which holds the system's error only as text."""
    text = " ".join(str(error).split())
    number = next((number for number in DISK_ERRORS if os.strerror(number) in text), None)
    if text.endswith(":") and resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY:
        number = errno.EFBIG  # the system ended ffmpeg, which could not say why
    return WriteError(number or errno.EIO, os.strerror(number) if number else text, str(path))


def playable(frame: Pixels, widest: int | None = None) -> Pixels:
    """Returns a frame that every player accepts, uint8 [H', W', 3]: RGB, of even size.

    Args:
        frame: uint8 [H, W, C]; C is 1, 3 or 4 (the fourth channel is left out).
        widest: most columns; a wider frame is scaled down.
    """
    height, width, channels = frame.shape
    columns = max(2, min(width, widest or width) // 2 * 2)
    rows = max(2, round(height * columns / width) // 2 * 2) if columns < width - 1 else max(2, height // 2 * 2)
    colours = np.repeat(frame, 3, axis=2) if channels == 1 else frame[..., :3]
    if (rows, columns) == (height, width):
        return colours
    return np.asarray(cv2.resize(colours, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def video_bytes(frames: Iterable[Pixels], fps: float) -> bytes:
    """Returns frames as a small mp4 for a page, at most 320 pixels wide.

    Args:
        frames: uint8 [H, W, C], all of one size; C is 1, 3 or 4 (the fourth channel is left out).
        fps: frames per second.

    Raises:
        DatasetError: there is no frame, or the frames differ in size.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, size = Path(folder) / "video.mp4", None
        with VideoWriter(path, fps) as writer:
            for frame in frames:
                size = size or frame.shape[:2]
                if frame.shape[:2] != size:
                    raise DatasetError(f"frames differ in size: {size} and {frame.shape[:2]}; resize them first")
                writer.add(playable(frame, _WIDEST))
        if not writer.frames:
            raise DatasetError("an episode without frames has no video; filter out empty episodes")
        return path.read_bytes()


def write_video(path: Path, frames: Iterable[Pixels], fps: float) -> None:
    """Writes a nearly lossless video whose frames are found quickly.

    Args:
        path: the file, replaced only when all is written.
        frames: uint8 [H, W, 3] each, of any one size.
        fps: frames per second.

    Raises:
        DatasetError: the frames differ in size.
        WriteError: the disk is full, or the file cannot be written.
    """
    with VideoWriter(path, fps, crf=17, arguments=_FOR_RANDOM_ACCESS) as writer:
        for frame in frames:
            writer.add(frame)


def join_videos(path: Path, parts: Sequence[Path]) -> None:
    """Joins videos that `write_video` wrote with the same size and rate, without re-encoding.

    Args:
        path: the file, replaced only when all is written.
        parts: in order; they are deleted.

    Raises:
        WriteError: the disk is full, a part is damaged, or the file cannot be written.
    """
    try:
        with (
            replacing(path) as temporary,
            av.open(str(temporary), "w", container_options={"movflags": "+faststart"}) as out,
        ):
            _copy_packets(out, parts)
    except av.FFmpegError as error:
        raise _unwritten(path, error) from error
    for part in parts:
        part.unlink()


def _copy_packets(out: OutputContainer, parts: Sequence[Path]) -> None:
    """Appends the packets of all parts, each part from the end of the one before it on."""
    stream, begin = None, Fraction(0)
    for part in parts:
        with av.open(str(part)) as source:
            video = source.streams.video[0]
            if stream is None:
                stream = out.add_stream_from_template(video)
            end = begin
            for packet in source.demux(video):
                if packet.dts is None or packet.pts is None or packet.duration is None:
                    continue  # the packet that ends the stream
                shift = round(begin / packet.time_base)
                end = max(end, (packet.pts + shift + packet.duration) * packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                out.mux(packet)
            begin = end
