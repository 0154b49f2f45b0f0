"""Pauses in long computations, in which the caller may do other work, or cancel by raising an error.

    with pausing(show_progress):
        runner.draw(["a red cube"])

The network pauses between its layers, and thus between tokens as well. Pauses do not change results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

BETWEEN: ContextVar[Callable[[], object] | None] = ContextVar("between", default=None)
"""The function called in a pause; None without `pausing`, so that loops can skip `pause`."""


@contextmanager
def pausing(between: Callable[[], object]) -> Iterator[None]:
    """Calls `between` in every pause of computations inside the block, in this thread; its own pauses call nothing."""
    before = BETWEEN.set(between)
    try:
        yield
    finally:
        BETWEEN.reset(before)


def pause() -> None:
    """A point where a computation may be interrupted or ended; does nothing without `pausing`."""
    import torch  # only where a network computes, so that servers of other policies do not load it

    if torch.compiler.is_compiling():  # compiled networks have no pauses
        return
    between = BETWEEN.get()
    if between is None:
        return
    before = BETWEEN.set(None)
    try:
        between()
    finally:
        BETWEEN.reset(before)
