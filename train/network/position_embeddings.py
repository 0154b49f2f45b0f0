"""First embeddings of the places of patches in an image tower."""

from __future__ import annotations

import math
from typing import cast

import torch

from embodio.model.layers.vit import ImageTower
from embodio.model.network.network import UnifiedIO2

_WAVES = 3.0
"""Of the shortest waves, over the height; the longest is a quarter of one."""


@torch.no_grad()
def add_wave_positions(model: UnifiedIO2, strength: float, seed: int) -> None:
    """Adds waves over rows and columns to the learned positions of the image tower, rotated at random.

    Learned positions begin small next to the pixels, and a small network takes long to notice them.

    Args:
        model: changed in place.
        strength: root mean square of what is added; 0 adds nothing.
        seed: of the rotation.
    """
    if strength <= 0:
        return
    tower = cast(ImageTower, model.towers["image"])
    rows, columns = tower.config.position_grid
    dim = tower.config.emb_dim
    waves = torch.linspace(0.25, _WAVES, dim // 4) * 2 * math.pi / rows
    across, down = (
        torch.cat(((middles * waves).sin(), (middles * waves).cos()), dim=1)
        for middles in ((torch.arange(size).unsqueeze(1) + 0.5) for size in (columns, rows))
    )
    grid = torch.cat((down.unsqueeze(1).expand(-1, columns, -1), across.expand(rows, -1, -1)), dim=-1).flatten(0, 1)
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(seed))).Q
    tower.positions[1:] += strength * 2**0.5 * grid @ rotation
