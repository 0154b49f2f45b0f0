"""A small cache of opened videos: decoders keep their position, so the next frame is found quickly."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embodio.model.processing.frame_index import FrameIndex
from embodio.model.processing.video_stream import VideoStream

_OPEN = 16  # decoders of a process; each holds a few frames
_INDEXED = 256  # files whose times are remembered, 16 bytes a frame

_Key = tuple[str, int, int]


class OpenVideos:
    """Decoders of a process, the least recently used closed first; any number of threads may use it.

    A decoder belongs to one thread while it is borrowed; two threads that want the same file get one each.
    """

    def __init__(self, most: int = _OPEN) -> None:
        """Sets how many idle decoders are kept."""
        self._most = most
        self._lock = threading.Lock()
        self._idle: list[tuple[_Key, VideoStream]] = []  # the least recently used first
        self._indices: OrderedDict[_Key, FrameIndex] = OrderedDict()

    @contextmanager
    def borrow(self, path: Path) -> Iterator[VideoStream]:
        """Lends the decoder of a file, opened if none is idle; one that raises is closed.

        Raises:
            MediaError: the file is absent or damaged.
        """
        key = _key(path)
        stream, index = self._take(key)
        if stream is None:
            stream = VideoStream(path, index)
        lent = False
        try:
            yield stream
            lent = True
        finally:
            if lent:
                self._give_back(key, stream)
            else:
                stream.close()

    def forget(self) -> None:
        """Empties the cache in a forked process, whose files share their positions with the parent's."""
        self._lock = threading.Lock()
        self._idle = []

    def _take(self, key: _Key) -> tuple[VideoStream | None, FrameIndex | None]:
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == key:
                    return self._idle.pop(place)[1], None
            return None, self._indices.get(key)

    def _give_back(self, key: _Key, stream: VideoStream) -> None:
        with self._lock:
            self._idle.append((key, stream))
            self._indices[key] = stream.index
            self._indices.move_to_end(key)
            if len(self._indices) > _INDEXED:
                self._indices.popitem(last=False)
            closed = [self._idle.pop(0)[1]] if len(self._idle) > self._most else []
        for old in closed:
            old.close()


def _key(path: Path) -> _Key:
    """A key that changes when a file is replaced."""
    try:
        state = path.stat()
    except OSError:
        return str(path), -1, -1  # opening it says what is wrong
    return str(path), state.st_size, state.st_mtime_ns


OPEN_VIDEOS = OpenVideos()
os.register_at_fork(after_in_child=OPEN_VIDEOS.forget)
