"""Which items of a row are kept for validation, where the row names none."""

from __future__ import annotations

HELD_OUT = 50
"""One in this many items, the last ones, is kept for validation, as items of one image are next to each other."""


def without_last(count: int) -> tuple[range, range]:
    """The numbers of the items, or episodes, to train on, and of those that are kept; the latter may be empty."""
    end = count - count // HELD_OUT
    return range(end), range(end, count)
