"""Worlds of several processes on this machine, forked from a server that has loaded torch once."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

import torch

from embodio.datasets.errors import DatasetError
from embodio.model.errors import ModelError
from embodio.train.errors import TrainError

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOADED = [__name__, "embodio.train.parallel.trainer", "tests.support.toy_experiment"]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _run(rank: int, size: int, port: int, results: Any, work: Callable[..., Any], arguments: Sequence[Any]) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    torch.set_num_threads(1)
    try:
        results.put((rank, work(*arguments), None))
    except (TrainError, DatasetError, ModelError, RuntimeError, ValueError, LookupError, OSError) as error:
        results.put((rank, None, f"{type(error).__name__}: {error}"))
        results.close()
        results.join_thread()
        os._exit(1)


def started(size: int, work: Callable[..., Any], *arguments: Any) -> tuple[list[Any], Any]:
    """Processes that run `work(*arguments)` with the variables that torchrun sets, and the queue of their results."""
    _CONTEXT.set_forkserver_preload(_PRELOADED)  # others, such as the loader, may have set theirs
    results, port = _CONTEXT.Queue(), free_port()
    processes = [
        _CONTEXT.Process(target=_run, args=(rank, size, port, results, work, arguments)) for rank in range(size)
    ]
    for process in processes:
        process.start()
    return processes, results


def together(size: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What each of several processes returns; raises RuntimeError with what one of them raised."""
    processes, results = started(size, work, *arguments)
    found = dict(enumerate([None] * size))
    try:
        for _ in range(size):
            rank, value, error = results.get(timeout=300)
            if error is not None:
                raise RuntimeError(f"process {rank}: {error}")
            found[rank] = value
    finally:
        for process in processes:
            process.join(60)
            process.kill()
    return list(found.values())
