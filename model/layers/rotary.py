"""Rotary position factors: one unit complex number per pair of head dimensions, for text (1-D) and for grids (2-D).

Adjacent dimensions (0, 1), (2, 3), ... form the pairs. Text at position p rotates pair i by p * 10000^(-2i / Dh). A
grid cell (row, column) rotates the first half of the pairs by the row and the second half by the column, each with the
frequencies of a head of half the width (paper, section 3.2).
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

BASE = 10000.0


def _angles(positions: Tensor, width: int) -> Tensor:
    """Angles [P, width / 2] in radians of `positions` [P], in float32 as the released weights were trained."""
    frequencies = 1.0 / BASE ** (torch.arange(0, width, 2, dtype=torch.float32, device=positions.device) / width)
    return torch.outer(positions, frequencies)


def _unit(angles: Tensor) -> Tensor:
    return torch.polar(torch.ones_like(angles), angles)


@functools.lru_cache(maxsize=64)
def text_rotary(length: int, head_dim: int, device: torch.device) -> Tensor:
    """Factors of the positions 0..length-1.

    Args:
        length: number of positions.
        head_dim: width Dh of a head, even.
        device: where the table lives.

    Returns:
        complex64 [length, Dh / 2]; cached, so not to be changed in place.
    """
    with torch.inference_mode(False), torch.no_grad():
        return _unit(_angles(torch.arange(length, dtype=torch.float32, device=device), head_dim))


@functools.lru_cache(maxsize=64)
def grid_rotary(rows: int, columns: int, head_dim: int, scale: float, device: torch.device) -> Tensor:
    """Factors of the cells of a grid, row by row.

    Args:
        rows: height of the grid.
        columns: width of the grid.
        head_dim: width Dh of a head, a multiple of 4.
        scale: factor on both coordinates, which start at 0.
        device: where the table lives.

    Returns:
        complex64 [rows * columns, Dh / 2]; cached, so not to be changed in place.
    """
    with torch.inference_mode(False), torch.no_grad():
        down = _angles(torch.arange(rows, dtype=torch.float32, device=device) * scale, head_dim // 2)
        across = _angles(torch.arange(columns, dtype=torch.float32, device=device) * scale, head_dim // 2)
        both = torch.cat((down[:, None].expand(-1, columns, -1), across[None].expand(rows, -1, -1)), dim=-1)
        return _unit(both.flatten(0, 1))


def interleave(rotary: Tensor) -> Tensor:
    """Factors [..., Dh / 2] as real numbers cos, sin, cos, sin, ... [..., Dh], for comparing with published tables."""
    return torch.view_as_real(rotary).flatten(-2)
