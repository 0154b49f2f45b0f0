"""Worker processes of this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from typing import Any

from embodio.datasets.engines import DeadlyJob
from embodio.datasets.stream.worker_process import follow_parent, starting_workers

_TRIES = 3  # of a job whose process dies
_log = logging.getLogger(__name__)


def run(
    work: Callable[[Any], Any], jobs: Iterable[Any], workers: int, *, apart: bool = False
) -> Iterator[tuple[int, Any]]:
    """Runs jobs in worker processes, or in this one if one is enough and need not be apart; see `WorkEngine`."""
    given = iter(jobs)
    first = list(islice(given, 2))
    waiting = enumerate(chain(first, given))
    if apart or (workers > 1 and len(first) > 1):
        yield from _in_workers(work, waiting, workers)
        return
    for number, job in waiting:
        yield number, work(job)


def _in_workers(
    work: Callable[[Any], Any], waiting: Iterator[tuple[int, Any]], workers: int
) -> Iterator[tuple[int, Any]]:
    """Runs numbered jobs; one whose process dies is tried again in a fresh one."""
    completed, others = False, set(multiprocessing.active_children())
    crew = [_Worker() for _ in range(workers)]
    running: dict[Future[Any], tuple[_Worker, int, Any, int]] = {}
    try:
        for worker, (number, job) in zip(crew, waiting, strict=False):
            running[worker.start(work, job)] = worker, number, job, 1
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, number, job, tries = running.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool as error:
                    if tries == _TRIES:
                        raise DeadlyJob(number, tries) from error
                    _log.warning("A worker process died; what it was doing is done again in a fresh one")
                    running[worker.start(work, job)] = worker, number, job, tries + 1
                    continue
                for following, job in islice(waiting, 1):
                    running[worker.start(work, job)] = worker, following, job, 1
                yield number, result
        completed = True
    finally:
        if not completed:  # such as after Ctrl-C: what jobs write is whole or absent, so nothing is lost by not waiting
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
        for worker in crew:
            worker.close()


class _Worker:
    """One process with one job at a time, so that it is known of which job it died."""

    def __init__(self) -> None:
        self._pool = self._fresh()

    def start(self, work: Callable[[Any], Any], job: Any) -> Future[Any]:
        """Begins a job, in a fresh process if there is none or it died."""
        with starting_workers():
            try:
                return self._pool.submit(work, job)
            except BrokenProcessPool:
                self._pool = self._fresh()
                return self._pool.submit(work, job)

    def close(self) -> None:
        """Waits for the process to end."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _fresh() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_start)


def _start() -> None:
    follow_parent()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
