"""Ctrl-C that is not lost: Python drops a KeyboardInterrupt that strikes inside some callbacks of its own."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """A context that remembers that Ctrl-C was pressed; `check` raises what was pressed and lost.

    Outside of the main thread, where signals do not arrive, it does nothing.
    """

    def __init__(self) -> None:
        self._pressed = False
        self._before: object = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            if self._before is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._press)
        return self

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed since the context was entered."""
        if self._pressed:
            raise KeyboardInterrupt

    def _press(self, number: int, frame: FrameType | None) -> None:
        self._pressed = True
        signal.default_int_handler(number, frame)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)
