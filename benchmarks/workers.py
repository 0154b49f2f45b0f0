"""Episodes of several seeds, one after the other or spread over worker processes; results come as they are ready."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from embodio.benchmarks.errors import WorkerDied
from embodio.benchmarks.player import Played, Player, PlayerConfig

_player: Player | None = None


def play_here(player: Player, seeds: Sequence[int]) -> Iterator[Played]:
    """Plays the seeds in order in this process."""
    for seed in seeds:
        yield player.play(seed)


def play_in_workers(config: PlayerConfig, seeds: Sequence[int], workers: int) -> Iterator[Played]:
    """Plays the seeds in several processes, each with a simulator and a policy of its own.

    When the caller stops early, running episodes are finished and no new ones are begun.

    Raises:
        WorkerDied: A process ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(config,))
    try:
        waiting: set[Future[Played]] = {pool.submit(_play, seed) for seed in seeds}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise WorkerDied(
            "A worker process died. If nothing above says why, memory ran out: run the same command again with fewer "
            "workers; it goes on with the episodes that are missing."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(config: PlayerConfig) -> None:
    """Sets a worker up. Ctrl-C is for the parent, which lets the running episodes finish."""
    global _player
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _player = Player(config)


def _play(seed: int) -> Played:
    if _player is None:
        raise WorkerDied("A worker was asked to play before it was set up.")
    return _player.play(seed)
