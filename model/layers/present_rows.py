"""Running a module on the rows of a batch that hold something, and on no others, where that is worth it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Rows = tuple[Tensor, Tensor | None, Tensor | None]
"""Content [B, N, ...], positions [B, N] and mask bool [B, N] of patches, the last two optional."""


def on_present_rows(run: Callable[[Tensor, Tensor | None, Tensor | None], Tensor], rows: Rows, *, skip: bool) -> Tensor:
    """Call `run(content, positions, mask)`.

    Args:
        run: gives [B, ...] with the rows of what it is given, each of them independent of the others.
        rows: what to give it.
        skip: leave out rows that are masked everywhere. Their results are zeros. One is always kept, so that the shape
            of a result and the flow of gradients exist.

    Returns:
        [B, ...].
    """
    content, positions, mask = rows
    if not skip or mask is None:
        return run(content, positions, mask)
    present = mask.any(dim=1)
    if bool(present.all()):
        return run(content, positions, mask)
    if not bool(present.any()):
        present[0] = True
    found = run(content[present], None if positions is None else positions[present], mask[present])
    result = found.new_zeros(content.shape[0], *found.shape[1:])
    result[present] = found
    return result
