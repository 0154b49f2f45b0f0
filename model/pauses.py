"""Pauses in long computations, in which the caller may do something else, or give up by raising an error.

    with pausing(show_progress):
        runner.draw(["a red cube"])

The network pauses between its layers, and so between two tokens as well. What is done in a pause changes no result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

BETWEEN: ContextVar[Callable[[], object] | None] = ContextVar("between", default=None)
"""What is called in a pause; None where nobody asked for pauses, so that a loop need not call `pause` at all."""


@contextmanager
def pausing(between: Callable[[], object]) -> Iterator[None]:
    """Has `between` called in every pause of what is computed inside, in this thread; pauses in it call nothing."""
    before = BETWEEN.set(between)
    try:
        yield
    finally:
        BETWEEN.reset(before)


def pause() -> None:
    """A place where a computation may be held up or ended; does nothing unless somebody asked for `pausing`."""
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
