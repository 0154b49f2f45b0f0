"""What a worker process of the loader does: make batches, put them into shared memory, say where they are."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy.typing as npt
import torch

from embodio.datasets.errors import ExampleError
from embodio.datasets.shared_memory import Layout, Ring, SharedBlock, arrange

if TYPE_CHECKING:
    from embodio.datasets.loader import BatchMaker


@dataclass(frozen=True)
class Made:
    """A batch is ready: where its arrays are, where it ends, and which records were replaced in it."""

    layouts: Mapping[str, Layout]
    end: int
    damage: tuple[ExampleError, ...]


@dataclass(frozen=True)
class Failure:
    """A worker ends: its error, None if that cannot travel, and the trace as text."""

    error: BaseException | None
    trace: str


def run_worker(connection: Connection, block: SharedBlock, maker: BatchMaker, steps: range, prefetch: int) -> None:
    """Makes the batches of `steps` in order; ends when all are fetched, or when the loader is gone.

    Args:
        connection: to the loader; each message of the loader takes one batch back.
        block: where batches are put.
        maker: makes them.
        steps: their numbers.
        prefetch: batches that may wait to be fetched.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the main process's business
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    ring = Ring(block.size)
    with _Reporting(connection):
        for step in steps:
            batch, damage = maker.make(step)
            arrays = {name: tensor.numpy() for name, tensor in batch.items()}
            _put(arrays, damage, connection, block, ring, prefetch)
        while len(ring):
            _take_back(connection, ring)


def _put(
    arrays: Mapping[str, npt.NDArray[Any]],
    damage: tuple[ExampleError, ...],
    connection: Connection,
    block: SharedBlock,
    ring: Ring,
    prefetch: int,
) -> None:
    """Waits for room, copies a batch there and tells the loader."""
    _, size = arrange(arrays, 0)
    start = ring.reserve(size) if len(ring) < prefetch else None
    while start is None:
        _take_back(connection, ring)
        start = ring.reserve(size) if len(ring) < prefetch else None
    layouts, end = arrange(arrays, start)
    for name, array in arrays.items():
        block.view(layouts[name])[...] = array
    _send(connection, Made(layouts, end, damage))


class _LoaderGone(Exception):
    """The loader is closed or dead, so there is nothing left to do."""


def _take_back(connection: Connection, ring: Ring) -> None:
    """Waits until the loader has fetched the oldest batch."""
    try:
        connection.recv()
    except (EOFError, ConnectionResetError) as error:
        raise _LoaderGone from error
    ring.release()


def _send(connection: Connection, message: Made | Failure) -> None:
    try:
        connection.send(message)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise _LoaderGone from error


def _end_with_parent() -> None:
    """Waits for the main process to end, and then ends this one, whatever it is doing."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Reporting:
    """Sends whatever error ends the block to the loader, if that is still there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or isinstance(error, _LoaderGone):
            return True
        with suppress(_LoaderGone):
            _send(self._connection, Failure(_that_travels(error), "".join(traceback.format_exception(error))))
        return True


def _that_travels(error: BaseException) -> BaseException | None:
    """The error if it comes out of a pickle as it went in, else None."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, KeyError):
        return None
    return error if type(copy) is type(error) and str(copy) == str(error) else None
