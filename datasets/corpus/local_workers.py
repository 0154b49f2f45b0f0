"""Worker processes of this machine that make shards."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from embodio.datasets.corpus.shards import ShardJob, ShardReceipt, make_shard
from embodio.datasets.corpus.source import CorpusError, CorpusSource
from embodio.datasets.stream.worker_process import follow_parent, starting_workers


def make_locally(
    folder: Path, source: CorpusSource, jobs: Sequence[ShardJob], workers: int
) -> Iterator[tuple[ShardJob, ShardReceipt]]:
    """Makes shards in worker processes, in this one if one worker is asked for; yields each when it is on disk.

    Args:
        folder: of the source.
        source: makes the samples; it is pickled for the workers.
        jobs: to be done.
        workers: processes.

    Raises:
        CorpusError: a worker process died.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, make_shard(folder, job, source)
        return
    completed, others = False, set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=multiprocessing.get_context("spawn"), initializer=_start
    )
    try:
        with starting_workers():
            futures = {pool.submit(make_shard, folder, job, source): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
        completed = True
    except BrokenProcessPool as error:
        raise CorpusError(
            "a worker process died, perhaps for lack of memory. All finished shards are safe: "
            "run the same command again to go on, with fewer workers if it happens again"
        ) from error
    finally:
        if not completed:  # such as after Ctrl-C: shards are whole or absent, so nothing is lost by not waiting
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _start() -> None:
    follow_parent()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
