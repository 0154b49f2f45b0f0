"""First embeddings of the places of patches in a tower."""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
from torch import Tensor

from embodio.model.layers.ast import LEADING_TOKENS, AudioTower
from embodio.model.layers.vit import ImageTower
from embodio.model.network.network import UnifiedIO2

_WAVES = 3.0
"""Of the shortest waves, over the rows of the table; the longest is a quarter of one."""


@torch.no_grad()
def add_wave_positions(model: UnifiedIO2, modality: Literal["image", "audio"], strength: float, seed: int) -> None:
    """Adds waves over rows and columns to the learned positions of a tower, rotated at random.

    Learned positions begin small next to the patches, and a small network takes long to notice them.

    Args:
        model: changed in place.
        modality: whose tower.
        strength: root mean square of what is added; 0 adds nothing.
        seed: of the rotation.
    """
    if strength <= 0:
        return
    tower = cast(ImageTower | AudioTower, model.towers[modality])
    if modality == "image":
        places, (rows, columns) = tower.positions[1:], model.config.image_tower.position_grid  # type: ignore[union-attr]
    else:  # mel band by mel band; the released tables have more rows than a segment has patches
        places, (columns, rows) = tower.positions[LEADING_TOKENS:], model.config.patch_grids["audio"]
    dim = places.shape[1]
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(seed))).Q
    places[: rows * columns] += strength * 2**0.5 * _waves(rows, columns, dim) @ rotation


def _waves(rows: int, columns: int, dim: int) -> Tensor:
    """Sines and cosines [rows * columns, dim] of the middles of the cells of a grid, row by row."""
    waves = torch.linspace(0.25, _WAVES, dim // 4) * 2 * math.pi / rows
    across, down = (
        torch.cat(((middles * waves).sin(), (middles * waves).cos()), dim=1)
        for middles in ((torch.arange(size).unsqueeze(1) + 0.5) for size in (columns, rows))
    )
    return torch.cat((down.unsqueeze(1).expand(-1, columns, -1), across.expand(rows, -1, -1)), dim=-1).flatten(0, 1)
