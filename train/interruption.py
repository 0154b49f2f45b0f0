"""Ctrl-C and SIGTERM, remembered and raised at once or only where work may stop."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
EXIT_SIGNAL = 128
"""Offset of a shell's exit code over the number of the signal that ended a program."""


def exit_code(number: int | None, *, done: bool) -> int:
    """The exit code of a program that ended its work, or was stopped by a signal of that number."""
    return 0 if done or number is None else EXIT_SIGNAL + number


class Terminated(KeyboardInterrupt):
    """SIGTERM came; it ends a program as Ctrl-C does."""


class Interruption:
    """A context that takes the first SIGINT or SIGTERM; a second one acts as it did before the context.

    The signal is remembered, because Python drops a KeyboardInterrupt that strikes inside some callbacks of its own;
    `check` raises what was dropped. Outside of the main thread, where signals do not arrive, it does nothing.

    Args:
        at_once: raise KeyboardInterrupt or Terminated wherever the signal strikes, not only inside `waiting`.

    Attributes:
        number: number of the signal; None until there is one.
    """

    def __init__(self, *, at_once: bool = True) -> None:
        self.number: int | None = None
        self._raises = at_once
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in _SIGNALS}
            self._before = {n: handler for n, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}
            for number in self._before:
                signal.signal(number, self._strike)
        return self

    def check(self) -> None:
        """Raises KeyboardInterrupt or Terminated if there was a signal since the context was entered."""
        if self.number == signal.SIGTERM:
            raise Terminated
        if self.number is not None:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A block that a signal ends immediately."""
        before, self._raises = self._raises, True
        try:
            self.check()
            yield
        finally:
            self._raises = before

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _strike(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self._restore()
        if self._raises:
            self.check()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
