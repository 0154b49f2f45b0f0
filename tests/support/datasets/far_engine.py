"""An engine as others are: work, jobs and results are pickled, and the last jobs are done first."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def run(work: Callable[[Any], Any], jobs: Iterable[Any], workers: int) -> Iterator[tuple[int, Any]]:
    for number, job in reversed(list(enumerate(jobs))):
        there, given = pickle.loads(pickle.dumps((work, job)))
        yield number, pickle.loads(pickle.dumps(there(given)))
