"""VideoStream: random access to the frames of a video, decoded from the nearest key frame before them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from embodio.model.processing.frame_index import FrameIndex, read_index
from embodio.model.processing.media_files import MediaError, open_media, unreadable

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_COVER = Disposition.attached_pic  # of a piece of music
# Decoding on costs a frame each, starting at a key frame about two more.
_START_COST = 2
# Frames that are shown before their key frame need the one before it, and some containers seek a little late. The
# first key frame is tried last.
_EARLIER_KEYS = 3


class VideoStream:
    """The pictures of a video file, by number in the order in which they are shown. One thread at a time may use it.

    Attributes:
        path: the file.
        index: when each of the F frames is shown.
        pixel_format: ffmpeg's name of it, such as "yuv420p" or "gray16le".
        depth_bits: bits of a pixel where it is one number of more than 8, as depth is; else 0.
    """

    def __init__(self, path: str | Path, index: FrameIndex | None = None) -> None:
        """Opens a file.

        Args:
            path: the file.
            index: of the file, if it is known; None reads it, which goes through the whole file without decoding it.

        Raises:
            MediaError: the file is absent, damaged or has no pictures.
        """
        self.path = Path(path)
        self._open()
        try:
            if index is None:
                index = read_index(self._container, self._stream)
        except av.FFmpegError as error:
            self.close()
            raise unreadable(self.path, error) from error
        self.index = index
        context = self._stream.codec_context
        self.pixel_format = str(context.pix_fmt)
        self.depth_bits = _depth_bits(self._stream.format)
        self._size = (context.height, context.width)
        self._reformatter = VideoReformatter()
        self._frames: Iterator[tuple[int, VideoFrame]] | None = None
        self._last = 0  # moment of the last frame that was decoded; means something while there is `_frames`

    def __len__(self) -> int:
        """Returns the number of frames F."""
        return len(self.index.shown)

    def has_sound(self) -> bool:
        """Whether the file has sound as well."""
        return bool(self._container.streams.audio)

    def picture(self, number: int) -> npt.NDArray[np.uint8]:
        """Returns a frame as uint8 [H, W, 3], RGB, upright.

        Raises:
            MediaError: the frame is damaged or of another size than the video, or holds depth.
            IndexError: there is no such frame.
        """
        if self.depth_bits:
            raise MediaError(
                f"{self.path}: its pixels are {self.pixel_format}, one number of {self.depth_bits} bits each, as depth "
                "has them, and not the colours of a camera; read it as depth"
            )
        frame = self._frame(number)
        colours = self._reformatter.reformat(frame, format="rgb24", threads=1)
        pixels: npt.NDArray[np.uint8] = np.asarray(colours.to_ndarray(), np.uint8)
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels

    def depth(self, number: int) -> npt.NDArray[np.uint16]:
        """Returns a frame of one number a pixel as uint16 [H, W], the numbers as they are stored.

        Raises:
            MediaError: as `picture`, and where the video holds colours or numbers of 8 bits.
            IndexError: there is no such frame.
        """
        if not self.depth_bits:
            raise MediaError(
                f"{self.path}: its pixels are {self.pixel_format}; depth needs one number of 9 to 16 bits a pixel"
            )
        plane = self._frame(number).planes[0]
        order = ">" if self.pixel_format.endswith("be") else "<"
        rows = np.frombuffer(memoryview(plane), f"{order}u2").reshape(plane.height, plane.line_size // 2)
        return rows[:, : plane.width].astype(np.uint16)

    def close(self) -> None:
        """Closes the file."""
        self._frames = None
        self._container.close()

    def _open(self) -> None:
        self._container = open_media(self.path)
        streams = [stream for stream in self._container.streams.video if not stream.disposition & _COVER]
        if not streams or streams[0].format is None:
            self._container.close()
            raise MediaError(f"{self.path}: the file has no pictures; read its sound with read_sound")
        self._stream = streams[0]
        self._stream.codec_context.thread_count = 1  # more would decode ahead, and the loader has workers

    def _frame(self, number: int) -> VideoFrame:
        if not 0 <= number < len(self):
            raise IndexError(f"frame {number} of a video of {len(self)}")
        wanted = int(self.index.shown[number])
        try:
            frame = self._decode(number, wanted)
        except av.FFmpegError as error:
            self._frames = None
            raise unreadable(self.path, error) from error
        if frame is None or frame.is_corrupt:
            self._frames = None
            raise MediaError(f"{self.path}: frame {number} is damaged or missing; fetch the file again")
        if (frame.height, frame.width) != self._size:
            raise MediaError(
                f"{self.path}: frame {number} is {frame.height} x {frame.width}, the video {self._size[0]} x "
                f"{self._size[1]} (height x width); encode it again with one size"
            )
        return frame

    def _decode(self, number: int, wanted: int) -> VideoFrame | None:
        """Decodes up to a frame, from earlier and earlier key frames until it comes out whole."""
        key = self.index.key_before(wanted)
        if self._frames is None or not self._goes_on(number, wanted, key):
            self._start(key)
        frame = self._up_to(wanted)
        for earlier in dict.fromkeys([*range(key - 1, max(0, key - 1 - _EARLIER_KEYS), -1), 0]):
            if frame is not None and not frame.is_corrupt:
                break
            self._start(earlier)
            frame = self._up_to(wanted)
        return frame

    def _goes_on(self, number: int, wanted: int, key: int) -> bool:
        """Whether continuing from the last frame costs less than starting at the key frame."""
        if wanted <= self._last:
            return False
        shown = self.index.shown
        onwards = number - int(np.searchsorted(shown, self._last))
        return onwards <= number - int(np.searchsorted(shown, self.index.keys[key])) + _START_COST

    def _start(self, key: int) -> None:
        """Seeks to a key frame."""
        if self.index.timed:
            self._container.seek(int(self.index.keys[key]), stream=self._stream, backward=True)
        else:
            self._container.close()
            self._open()
        self._frames = self._decoded()

    def _up_to(self, wanted: int) -> VideoFrame | None:
        """Decodes up to a moment; returns its frame, or None if it cannot be decoded."""
        for moment, frame in self._frames or ():
            self._last = moment
            if moment == wanted:
                return frame
            if moment > wanted:
                return None
        self._frames = None
        return None

    def _decoded(self) -> Iterator[tuple[int, VideoFrame]]:
        """The frames from here on, each with its moment in the units of the index."""
        counter = itertools.count()
        for frame in self._container.decode(self._stream):
            moment = frame.pts if self.index.timed else next(counter)
            if moment is not None:
                yield moment, frame


def _depth_bits(pixels: av.VideoFormat) -> int:
    """Bits of a pixel of one number, if they are more than 8; else 0."""
    return pixels.components[0].bits if pixels.name.startswith("gray") and pixels.components[0].bits > 8 else 0
