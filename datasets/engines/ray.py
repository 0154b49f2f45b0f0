"""The machines of a Ray cluster, which share the folders that are written.

The cluster is that of RAY_ADDRESS; without it, Ray starts one on this machine. embodio is installed on all machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from embodio.datasets.engines import EngineError
from embodio.datasets.errors import DatasetError

_RETRIES = 5
_AHEAD = 4  # jobs handed out for each processor, so that the others take no memory yet


def run(
    work: Callable[[Any], Any], jobs: Iterable[Any], workers: int, *, apart: bool = False
) -> Iterator[tuple[int, Any]]:
    """Runs jobs on a cluster, always apart; those of a machine that dies run again on others; see `WorkEngine`."""
    try:
        import ray
    except ImportError as error:
        raise EngineError("engine=ray needs the extra `ray`: pip install embodio[ray]") from error
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init(log_to_driver=False)
    try:
        task = ray.remote(max_retries=_RETRIES)(_finished)
        shared = ray.put(work)
        waiting = enumerate(jobs)
        running: dict[Any, int] = {}
        while True:
            limit = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
            for number, job in islice(waiting, max(0, limit - len(running))):
                running[task.remote(shared, job)] = number
            if not running:
                break
            done, _ = ray.wait(list(running), num_returns=1)
            for reference in done:
                yield running.pop(reference), _result(reference)
    finally:
        if is_ours:
            ray.shutdown()


def _finished(work: Callable[[Any], Any], job: Any) -> tuple[Any, DatasetError | None]:
    """A result, or an error for the user; other errors travel as Ray has them."""
    try:
        return work(job), None
    except DatasetError as error:
        return None, error


def _result(reference: Any) -> Any:
    import ray

    try:
        result, problem = ray.get(reference)
    except ray.exceptions.RaySystemError as error:
        raise EngineError(f"Ray failed: {error}. All that is finished is kept: run the same command again") from error
    except ray.exceptions.WorkerCrashedError as error:
        message = f"machines or workers died {_RETRIES} times under one job: {error}. All that is finished is kept"
        raise EngineError(f"{message}: run the same command again") from error
    if problem is not None:
        raise problem
    return result
