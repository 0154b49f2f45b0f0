"""Episodes of several seeds, played in turn or spread over worker processes; results arrive as they are ready."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait

from embodio.benchmarks.errors import WorkerDied
from embodio.benchmarks.rollouts.player import Played, Player, PlayerConfig
from embodio.datasets.stream.worker_process import follow_parent, start_worker


def play_here(player: Player, seeds: Sequence[int], film: Callable[[], bool]) -> Iterator[Played]:
    """Plays the seeds in order in this process; `film` decides before each of them whether to film it."""
    for seed in seeds:
        yield player.play(seed, film())


def play_in_workers(
    config: PlayerConfig, seeds: Sequence[int], workers: int, film: Callable[[], bool]
) -> Iterator[Played]:
    """Plays the seeds in several processes, each with a simulator and a policy of its own.

    `film` decides before each of them whether to film it. A worker gets its next seed when it finishes the previous
    one. When the caller stops early, running episodes are abandoned.

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
            there.close()  # so that the death of the process is noticed here
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
            "workers; it resumes with the missing episodes."
        ) from error
    return played


def _work(config: PlayerConfig, connection: Connection) -> None:
    """The main function of a worker: plays each seed it receives, filmed or not, until it receives None."""
    follow_parent()
    player = Player(config)
    while (job := connection.recv()) is not None:
        connection.send(player.play(*job))
    player.close()
