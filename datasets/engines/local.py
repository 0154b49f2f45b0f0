"""Worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from embodio.datasets.engines import EngineError
from embodio.datasets.stream.worker_process import follow_parent, starting_workers


def run(work: Callable[[Any], Any], jobs: Sequence[Any], workers: int) -> Iterator[tuple[int, Any]]:
    """Runs jobs in worker processes, in this one if one worker is asked for; see `WorkEngine`."""
    if workers == 1 or len(jobs) < 2:
        for number, job in enumerate(jobs):
            yield number, work(job)
        return
    completed, others = False, set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=multiprocessing.get_context("spawn"), initializer=_start
    )
    try:
        with starting_workers():
            futures = {pool.submit(work, job): number for number, job in enumerate(jobs)}
        for future in as_completed(futures):
            yield futures[future], future.result()
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
