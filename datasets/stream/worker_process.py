"""Worker processes: they leave signals to their parent, and end when it ends."""

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
_started: weakref.WeakSet[BaseProcess] = weakref.WeakSet()


@contextlib.contextmanager
def starting_workers() -> Iterator[None]:
    """Blocks SIGINT and SIGTERM, also in processes started inside the block, until `follow_parent`.

    Without it a signal to the group would kill a worker that is still importing its modules.
    """
    resource_tracker.ensure_running()  # otherwise multiprocessing would start it later and unblock the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker(process: BaseProcess) -> None:
    """Starts a process that calls `follow_parent`; if it still runs at the end of this program, it is killed.

    Otherwise multiprocessing would send SIGTERM, which it ignores, and wait forever.
    """
    with starting_workers():
        process.start()
    _started.add(process)


@atexit.register  # runs before what multiprocessing registered when it was imported
def _kill_workers() -> None:
    for process in list(_started):
        with contextlib.suppress(ValueError):  # it is closed
            process.kill()


os.register_at_fork(after_in_child=_started.clear)


def follow_parent() -> None:
    """Makes a worker ignore SIGINT and SIGTERM, and end with its parent, however that ends; called at its start."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
