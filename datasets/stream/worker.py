"""The worker process of the loader: it makes batches, puts them into shared memory, and reports their places."""

from __future__ import annotations

import math
import os
import pickle
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from embodio.datasets.errors import ExampleError
from embodio.datasets.stream.shared_memory import Allocator, ArrayPlace, SharedBlock
from embodio.datasets.stream.worker_process import follow_parent
from embodio.model.memory import keep_freed_memory

if TYPE_CHECKING:
    from embodio.datasets.stream.loader import BatchMaker


@dataclass(frozen=True)
class Made:
    """A batch is ready.

    Attributes:
        layouts: where its arrays are in the shared block.
        loose: those that did not fit, as bytes.
        damage: which records were replaced in it.
    """

    layouts: Mapping[str, ArrayPlace]
    loose: Mapping[str, npt.NDArray[Any]]
    damage: tuple[ExampleError, ...]


@dataclass(frozen=True)
class Failure:
    """The end of a worker: its error, None if that cannot be pickled, and the trace as text."""

    error: BaseException | None
    trace: str


def run_worker(
    environment: Mapping[str, str],
    connection: Connection,
    block: SharedBlock,
    maker: BatchMaker,
    steps: range,
    prefetch: int,
) -> None:
    """Makes the batches of `steps` in order; ends when all are fetched, or when the loader is gone.

    Args:
        environment: variables of the loader's process; a forked worker has those of the first one that was started.
        connection: to the loader, which answers each batch with the offsets of arrays that are no longer used.
        block: where batches are put.
        maker: makes them.
        steps: their numbers.
        prefetch: batches that may wait to be fetched.
    """
    follow_parent()
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(1)
    keep_freed_memory()
    desk = _Desk(connection, block)
    with _Reporting(connection):
        for step in steps:
            batch, damage = maker.make(step, desk.allocate)
            made = desk.packed({name: tensor.numpy() for name, tensor in batch.items()}, damage)
            while desk.waiting >= prefetch:
                desk.hear()
            desk.send(made)
        while desk.waiting:
            desk.hear()


class _Desk:
    """The memory in which a worker's batches are made, and their handover.

    Attributes:
        waiting: batches that the loader has not fetched yet.
    """

    def __init__(self, connection: Connection, block: SharedBlock) -> None:
        self.waiting = 0
        self._connection, self._block, self._allocator = connection, block, Allocator(block.size)
        self._fresh: dict[int, int] = {}  # address -> offset, of arrays of the batch that is being made

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        """An array in the block; in memory of this process if all of the block is used by the trainer."""
        dtype = np.dtype(dtype)
        size = dtype.itemsize * math.prod(shape)
        offset = self._allocator.reserve(size) if size else None
        while size and offset is None and self.waiting:
            self.hear()
            offset = self._allocator.reserve(size)
        if offset is None:
            return np.empty(shape, dtype)
        array = self._block.view(ArrayPlace(dtype.str, shape, offset))
        self._fresh[array.ctypes.data] = offset
        return array

    def packed(self, arrays: Mapping[str, npt.NDArray[Any]], damage: tuple[ExampleError, ...]) -> Made:
        """Describes a batch; arrays that were not made in the block are copied there."""
        layouts, loose, given = {}, {}, self._fresh
        self._fresh = {}
        for name, array in arrays.items():
            offset = given.pop(array.ctypes.data, None) if array.flags.c_contiguous else None
            if offset is None:
                copy = self.allocate(array.shape, array.dtype)
                copy[...] = array
                array, offset = copy, self._fresh.pop(copy.ctypes.data, None)
            if offset is None:
                loose[name] = array
            else:
                layouts[name] = ArrayPlace(array.dtype.str, array.shape, offset)
        for offset in given.values():  # allocated, but left out of the batch
            self._allocator.release(offset)
        return Made(layouts, loose, damage)

    def send(self, made: Made) -> None:
        """Announces a batch to the loader."""
        _send(self._connection, made)
        self.waiting += 1

    def hear(self) -> None:
        """Waits until the loader has fetched a batch, and frees what is no longer used."""
        try:
            offsets = self._connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise _LoaderGone from error
        self.waiting -= 1
        for offset in offsets:
            self._allocator.release(offset)


class _LoaderGone(Exception):
    """The loader is closed or dead, so there is nothing left to do."""


def _send(connection: Connection, message: Made | Failure) -> None:
    try:
        connection.send(message)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise _LoaderGone from error


class _Reporting:
    """Sends an error that ends the block to the loader, if it still exists."""

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
    """The error if it survives pickling, else None."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, KeyError):
        return None
    return error if type(copy) is type(error) and str(copy) == str(error) else None
