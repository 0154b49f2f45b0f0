"""RecordTask: the interface of the stream to a source of training examples."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from embodio.datasets.errors import WHOLE, ExampleError
from embodio.model.example import Example


class Place(NamedTuple):
    """Where a record comes from: the name of the data set, the number of the episode, the step in it.

    Records of a corpus have no steps: `episode` is their number, and `step` is WHOLE.
    """

    dataset: str
    episode: int
    step: int = WHOLE


class RecordTask(Protocol):
    """A task with numbered records, such as `embodio.datasets.tasks.next_action.NextAction`."""

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Episodes that were left out because they are damaged."""

    def __len__(self) -> int: ...

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index`; `generator` makes all random draws, None draws nothing."""


def spread(length: int, count: int) -> list[int]:
    """At most `count` different numbers of records, evenly spaced from the first of `length` to the last."""
    chosen: list[int] = np.unique(np.linspace(0, length - 1, min(count, length)).astype(np.int64)).tolist()
    return chosen
