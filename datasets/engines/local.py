"""Worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from typing import Any

from embodio.datasets.engines import EngineError
from embodio.datasets.stream.worker_process import follow_parent, starting_workers

_AHEAD = 2  # jobs handed out for each worker, so that none waits for the next


def run(work: Callable[[Any], Any], jobs: Iterable[Any], workers: int) -> Iterator[tuple[int, Any]]:
    """Runs jobs in worker processes, in this one if one worker is asked for; see `WorkEngine`."""
    given = iter(jobs)
    first = list(islice(given, 2))
    waiting = enumerate(chain(first, given))
    if workers == 1 or len(first) < 2:
        for number, job in waiting:
            yield number, work(job)
        return
    completed, others = False, set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start)
    running: dict[Future[Any], int] = {}
    try:
        while True:
            with starting_workers():
                for number, job in islice(waiting, _AHEAD * workers - len(running)):
                    running[pool.submit(work, job)] = number
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
        completed = True
    except BrokenProcessPool as error:
        raise EngineError(
            "a worker process died, perhaps for lack of memory. All that is finished is kept: "
            "run the same command again to go on, with fewer workers if it happens again"
        ) from error
    finally:
        if not completed:  # such as after Ctrl-C: what jobs write is whole or absent, so nothing is lost by not waiting
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _start() -> None:
    follow_parent()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
