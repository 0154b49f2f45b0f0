"""Worker processes: signals to the whole group are their parent's business, and they end when it ends."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
import weakref
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def starting_workers() -> Iterator[None]:
    """Inside the block SIGINT and SIGTERM wait, also in processes that are started there, until `follow_parent`.

    Without it a signal to the group would kill a worker that is still importing its modules.
    """
    resource_tracker.ensure_running()  # later it would be started by multiprocessing, which unblocks the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def kill_at_exit(process: BaseProcess) -> None:
    """Has a worker killed when this program ends, also by an error that nobody caught.

    multiprocessing would send SIGTERM, which the worker ignores, and wait for it for ever if it is stuck.
    """
    atexit.register(_kill, weakref.ref(process))


def _kill(worker: weakref.ref[BaseProcess]) -> None:
    process = worker()
    if process is not None:
        with contextlib.suppress(ValueError):  # it was closed
            process.kill()


def follow_parent() -> None:
    """Called by a worker when it begins: it ignores SIGINT and SIGTERM, and ends with its parent, however that ends."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
