"""Engines that run independent jobs, such as shards of a corpus or episodes, found by listing this folder.

An engine is one module with a function `run`, a `WorkEngine`. What a job leaves on disk must be complete or absent, as
its process may be killed, and the job run once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from embodio.datasets.errors import DatasetError
from embodio.datasets.plug_ins import PlugIns


class EngineError(DatasetError):
    """Jobs cannot be run to their end; the message says what to do."""


class DeadlyJob(EngineError):
    """A job of which every process dies that tries it.

    Attributes:
        number: of the job.
        tries: processes that died of it.
    """

    def __init__(self, number: int, tries: int) -> None:
        super().__init__(
            f"a worker process died, perhaps for lack of memory, and so did {tries - 1} others that did the same work "
            "again. All that is finished is kept: run the same command again to go on, with fewer workers"
        )
        self.number, self.tries = number, tries


class WorkEngine(Protocol):
    """Runs jobs in any order, in other processes or on other machines."""

    def __call__(
        self, work: Callable[[Any], Any], jobs: Iterable[Any], workers: int, *, apart: bool = False
    ) -> Iterator[tuple[int, Any]]:
        """Yields the number of each job and its result, when it is done.

        Args:
            work: is called with one job; it is pickled, as are jobs and results.
            jobs: to be done; each is taken only shortly before it is handed out.
            workers: processes of this machine; engines that have machines of their own ignore it.
            apart: never in this process, even with one worker, as the work may kill the process that does it.

        Raises:
            EngineError: workers died time and again, or a package is missing.
        """


_ENGINES = PlugIns(__name__, "run", kind="engine", error=EngineError)


def engine_names() -> tuple[str, ...]:
    """The names, in alphabetical order; nothing is imported."""
    return tuple(_ENGINES.names())


def named_engine(name: str) -> WorkEngine:
    """An engine by its name, which is that of its module; raises EngineError that lists the names."""
    run: WorkEngine = _ENGINES.named(name)
    return run


class Crew(NamedTuple):
    """Who does the work: an engine, and the number of processes that it may start."""

    engine: WorkEngine
    workers: int


def _here(
    work: Callable[[Any], Any], jobs: Iterable[Any], workers: int, *, apart: bool = False
) -> Iterator[tuple[int, Any]]:
    return enumerate(map(work, jobs))


ALONE = Crew(_here, 1)
"""This process, without others."""
