"""Episodes of several seeds, played in turn here or by an engine; results arrive as they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from embodio.benchmarks.rollouts.player import Played, Player, PlayerConfig
from embodio.datasets.engines import named_engine


def play_here(player: Player, seeds: Sequence[int], film: Callable[[], bool]) -> Iterator[Played]:
    """Plays the seeds in order in this process; `film` decides before each of them whether to film it."""
    for seed in seeds:
        yield player.play(seed, film())


def play_in_workers(
    config: PlayerConfig, seeds: Sequence[int], workers: int, film: Callable[[], bool], engine: str = "local"
) -> Iterator[Played]:
    """Plays the seeds in several processes, each with a simulator and a policy of its own.

    When the caller stops early, running episodes are abandoned.

    Args:
        config: what decides how an episode goes; on other machines, its folders must be shared.
        seeds: of the episodes.
        workers: processes of this machine.
        film: decides, when a seed is handed out, whether to film it.
        engine: who plays, see `embodio.datasets.engines`.

    Raises:
        EngineError: a process or a machine died without an answer, or there is no such engine.
    """
    jobs = ((seed, film()) for seed in seeds)
    try:
        for _, played in named_engine(engine)(partial(_play, config), jobs, workers):
            yield played
    finally:
        _close_players()


_players: dict[PlayerConfig, Player] = {}
"""The player of this process; it takes seconds to make, so it is kept for the next episode."""


def _play(config: PlayerConfig, job: tuple[int, bool]) -> Played:
    """Plays one seed, filmed or not."""
    if config not in _players:
        _close_players()  # of another run, on a cluster that outlives it
        _players[config] = Player(config)
    return _players[config].play(*job)


def _close_players() -> None:
    while _players:
        _players.popitem()[1].close()
