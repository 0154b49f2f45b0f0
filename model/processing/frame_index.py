"""FrameIndex: the presentation times of a video's frames, read without decoding if the container has them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embodio.model.processing.media_files import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

Numbers = npt.NDArray[np.int64]

# Containers whose packets say when a frame is shown; the others (avi, raw streams) only have an order.
_TIMED = {"mov", "matroska", "webm", "mpegts", "gif", "apng", "ivf", "ogg", "asf", "flv", "nut", "mpeg"}


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """The presentation times of the F frames of a video.

    Attributes:
        shown: int64 [F], ascending, in units of `unit`; for a container without times, the numbers 0 to F-1.
        keys: int64 [K], ascending, the moments that decoding can start at.
        unit: seconds of one unit.
        end: moment at which the last frame is over, in units of `unit`.
        timed: whether the container says the times; else they are the numbers over the rate.
    """

    shown: Numbers
    keys: Numbers
    unit: Fraction
    end: int
    timed: bool

    @cached_property
    def times(self) -> npt.NDArray[np.float64]:
        """When each frame is shown, float64 [F], in seconds."""
        return self.shown * self.unit.numerator / self.unit.denominator

    @cached_property
    def interval(self) -> float:
        """Seconds between two frames, the median; of a single frame how long it is shown."""
        steps = np.diff(self.shown) if len(self.shown) > 1 else np.array([self.end - self.shown[0]])
        return float(np.median(steps) * self.unit.numerator / self.unit.denominator)

    def key_before(self, moment: int) -> int:
        """Returns which of `keys` is the last at or before a moment; 0 if there is none."""
        return max(0, int(np.searchsorted(self.keys, moment, side="right")) - 1)


def read_index(container: InputContainer, stream: VideoStream) -> FrameIndex:
    """Reads the times of all frames.

    Args:
        container: just opened; it is left at its end.
        stream: one of its video streams.

    Raises:
        MediaError: there is no frame, or a container without times has no rate either.
        av.FFmpegError: the file is damaged.
    """
    if not _TIMED & set(container.format.name.split(",")):
        return _counted(container, stream)
    shown: list[int] = []
    keys: list[int] = []
    end, first = 0, 0
    for packet in container.demux(stream):
        moment = packet.pts
        if moment is None:
            if packet.size:  # the packet that ends the stream has none
                return _counted(container, stream, restart=True)
            continue
        first = min(first, packet.dts or 0)
        if packet.is_keyframe:
            keys.append(moment if keys else min(moment, first))  # the file begins before its first frame is shown
        if not packet.is_discard:  # which an edit list leaves out
            shown.append(moment)
            end = max(end, moment + (packet.duration or 0))
    if not shown or stream.time_base is None:
        raise MediaError(f"{container.name}: the video has no frames; it may be cut off")
    moments = np.unique(np.array(shown, np.int64))
    if end <= moments[-1] and len(moments) > 1:
        end = int(moments[-1] + np.median(np.diff(moments)))
    return FrameIndex(moments, np.unique(np.array(keys or shown[:1], np.int64)), stream.time_base, end, timed=True)


def _counted(container: InputContainer, stream: VideoStream, *, restart: bool = False) -> FrameIndex:
    """The index of a container without times: all frames are decoded, and follow each other at the stream's rate."""
    if restart:
        container.seek(0)
    count = sum(1 for _ in container.decode(stream))
    rate = stream.average_rate or stream.guessed_rate
    if not count or not rate:
        raise MediaError(f"{container.name}: the video has no frames or no rate; it may be cut off")
    return FrameIndex(np.arange(count), np.zeros(1, np.int64), 1 / Fraction(rate), count, timed=False)
