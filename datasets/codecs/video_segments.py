"""Frames of a stretch of a video file by number, decoded a few at a time with ffmpeg."""

from __future__ import annotations

import subprocess
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import CorruptRecordError, DatasetError

CHUNK = 32
_KEPT = 2  # chunks
_REMEDY = "Fetch the file again"


class VideoSegment:
    """One episode in a video file.

    Args:
        path: the file.
        start: time of the first frame, in seconds.
        length: number of frames.
        fps: frames per second.
        height: rows.
        width: columns.
    """

    def __init__(self, path: Path, start: float, length: int, fps: float, height: int, width: int) -> None:
        self._path, self._start, self._length, self._fps = path, start, length, fps
        self._shape = (height, width, 3)
        self._chunks: OrderedDict[int, npt.NDArray[np.uint8]] = OrderedDict()

    def frame(self, step: int) -> npt.NDArray[np.uint8]:
        """The frame of one step, uint8 [H, W, 3].

        Raises:
            CorruptRecordError: the file is missing, damaged, or ends before that frame.
        """
        number, place = divmod(step, CHUNK)
        if number not in self._chunks:
            self._chunks[number] = self._decode(number * CHUNK, min(CHUNK, self._length - number * CHUNK))
            while len(self._chunks) > _KEPT:
                self._chunks.popitem(last=False)
        self._chunks.move_to_end(number)
        return self._chunks[number][place]

    def _decode(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """Frames `first` to `first + count - 1`; asked for from half a frame earlier on, against rounding."""
        if not self._path.is_file():
            raise CorruptRecordError(self._path, first, "the video is missing", _REMEDY)
        begin = max(0.0, self._start + (first - 0.5) / self._fps)
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-threads", "1"]
        command += ["-ss", f"{begin:.6f}", "-i", str(self._path), "-frames:v", str(count), "-fps_mode", "passthrough"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        done = subprocess.run(command, capture_output=True, check=False)
        size = int(np.prod(self._shape))
        if done.returncode or len(done.stdout) != size * count:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            problem = f"{len(done.stdout) // size} of {count} frames from {begin:.3f} s on"
            raise CorruptRecordError(self._path, first, f"{problem} {said[-1] if said else ''}".strip(), _REMEDY)
        return np.frombuffer(done.stdout, np.uint8).reshape(count, *self._shape)


def write_video(path: Path, frames: Iterable[npt.NDArray[np.uint8]], fps: float, height: int, width: int) -> None:
    """Writes an H.264 video with a key frame at every second frame, so that any frame is found quickly.

    Args:
        path: the file, replaced only when all is written.
        frames: uint8 [H, W, 3] each.
        fps: frames per second.
        height: rows.
        width: columns.
    """
    temporary = path.with_name(f".{path.name}.part.mp4")
    even = height % 2 == 0 and width % 2 == 0
    writer = imageio_ffmpeg.write_frames(
        str(temporary),
        (width, height),
        fps=fps,
        codec="libx264",
        pix_fmt_out="yuv420p" if even else "yuv444p",
        macro_block_size=1,
        quality=None,
        output_params=["-crf", "17", "-g", "2", "-bf", "0", "-threads", "1"],
    )
    writer.send(None)
    try:
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()
    temporary.replace(path)


def join_videos(path: Path, parts: Sequence[Path]) -> None:
    """Joins videos that `write_video` wrote with the same size and rate, without coding them again.

    Args:
        path: the file, replaced only when all is written.
        parts: in order; they are deleted.

    Raises:
        DatasetError: ffmpeg refuses.
    """
    listed, temporary = path.with_name(f".{path.name}.txt"), path.with_name(f".{path.name}.part.mp4")
    quoted = (str(part.resolve()).replace("'", "'\\''") for part in parts)
    listed.write_text("".join(f"file '{part}'\n" for part in quoted), encoding="utf-8")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y", "-f", "concat", "-safe", "0"]
    command += ["-i", str(listed), "-c", "copy", "-movflags", "+faststart", str(temporary)]
    done = subprocess.run(command, capture_output=True, check=False)
    listed.unlink()
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise DatasetError(f"{path} cannot be written: {said}. Is the disk full?")
    temporary.replace(path)
    for part in parts:
        part.unlink()
