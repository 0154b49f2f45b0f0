"""Episodes of several seeds, one after the other or spread over worker processes; results come as they are ready."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait

from embodio.benchmarks.errors import WorkerDied
from embodio.benchmarks.rollouts.player import Played, Player, PlayerConfig
from embodio.datasets.stream.worker_process import follow_parent, start_worker


def play_here(player: Player, seeds: Sequence[int], film: Callable[[], bool]) -> Iterator[Played]:
    """Plays the seeds in order in this process; `film` says before each of them whether it is to be filmed."""
    for seed in seeds:
        yield player.play(seed, film())


def play_in_workers(
    config: PlayerConfig, seeds: Sequence[int], workers: int, film: Callable[[], bool]
) -> Iterator[Played]:
    """Plays the seeds in several processes, each with a simulator and a policy of its own.

    `film` says before each of them whether it is to be filmed. A worker gets the next seed when it is done with the one
    before. When the caller stops early, the episodes that are running are given up.

    Raises:
        WorkerDied: A process ended without an answer.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(reversed(seeds))
    processes, busy = [], []
    try:
        for _ in range(min(workers, len(waiting))):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(config, there), daemon=True)
            start_worker(process)
            there.close()  # so that its end is noticed here when the process dies
            here.send((waiting.pop(), film()))
            processes.append(process)
            busy.append(here)
        while busy:
            for connection in wait(busy):
                if not isinstance(connection, Connection):
                    continue
                yield _receive(connection)
                if waiting:
                    connection.send((waiting.pop(), film()))
                else:
                    connection.send(None)
                    busy.remove(connection)
    finally:
        for process in processes:
            if busy:
                process.kill()
            process.join()


def _receive(connection: Connection) -> Played:
    try:
        played: Played = connection.recv()
    except EOFError as error:
        raise WorkerDied(
            "A worker process died. If nothing above says why, memory ran out: run the same command again with fewer "
            "workers; it goes on with the episodes that are missing."
        ) from error
    return played


def _work(config: PlayerConfig, connection: Connection) -> None:
    """A worker: plays the seeds that it is sent, filmed or not, until it is sent None."""
    follow_parent()
    player = Player(config)
    while (job := connection.recv()) is not None:
        connection.send(player.play(*job))
    player.close()
