"""Shared layers of the image and audio tokenisers: nearest-code search and fixed grid positions."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.nn import functional

from embodio.model.config.parts import Size
from embodio.model.errors import BatchError

SEARCH_ROWS = 4096
"""Vectors compared with the codebook at a time; bounds the memory of the search."""


def exactly(device: torch.device) -> AbstractContextManager[object]:
    """A context for what must not depend on the precision of a training: codes made in 16 bits are other codes."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def nearest_codes(vectors: Tensor, codebook: Tensor) -> Tensor:
    """Index of the nearest code of each vector by Euclidean distance, computed in float32.

    Args:
        vectors: [..., D].
        codebook: [K, D].

    Returns:
        int64 [...].
    """
    codebook = codebook.float()
    half_squares = codebook.square().sum(dim=1) / 2
    rows = vectors.float().reshape(-1, codebook.shape[1])
    # |v - c|^2 / 2 without |v|^2, which is the same for every code.
    with exactly(rows.device):
        found = [
            torch.addmm(half_squares, part, codebook.T, alpha=-1).argmin(dim=1) for part in rows.split(SEARCH_ROWS)
        ]
    return torch.cat(found).view(vectors.shape[:-1])


def require_codes(codes: Tensor, num_codes: int, length: int, where: str) -> None:
    """Check codes [B, N] before they are looked up; raises BatchError for a wrong length or a code out of range."""
    if codes.dim() != 2 or codes.shape[1] != length:
        raise BatchError(f"{where} needs codes of shape (batch, {length}), found {tuple(codes.shape)}")
    if not codes.numel():
        return
    lowest, highest = (int(value) for value in codes.aminmax())
    if lowest < 0 or highest >= num_codes:
        raise BatchError(f"{where} has codes 0..{num_codes - 1}, found {lowest}..{highest}")


def normalised_rows(table: Tensor) -> Tensor:
    """The rows of [K, D] at unit length, in float32."""
    return functional.normalize(table.float(), dim=-1)


def sinusoid_table(grid: Size, dim: int, device: torch.device) -> Tensor:
    """Fixed positions of a grid: the first half of the channels tells the column, the second the row.

    Args:
        grid: (rows, columns).
        dim: channels D, a multiple of 4. Each half holds the sines, then the cosines of D / 4 frequencies.
        device: where the table goes.

    Returns:
        float32 [rows * columns, D], row by row.
    """
    frequencies = 10000.0 ** (-torch.arange(dim // 4, dtype=torch.float64, device=device) / (dim // 4))

    def waves(count: int) -> Tensor:
        angles = torch.arange(count, dtype=torch.float64, device=device)[:, None] * frequencies
        return torch.cat((angles.sin(), angles.cos()), dim=1)

    rows, columns = grid
    by_column = waves(columns).expand(rows, -1, -1)
    by_row = waves(rows)[:, None].expand(-1, columns, -1)
    return torch.cat((by_column, by_row), dim=-1).flatten(0, 1).float()
