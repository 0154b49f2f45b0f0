"""AudioTower: the Audio Spectrogram Transformer (AST; paper, appendix B.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.config.parts import AudioTowerConfig, Size
from embodio.model.layers.layers import init_glorot
from embodio.model.layers.vit import TowerBlock, TowerFeatures, run_blocks

LEADING_TOKENS = 2


class AudioTower(nn.Module):
    """AST: patches, a class and a distillation token, learned positions ordered by mel band first, then the blocks."""

    def __init__(self, config: AudioTowerConfig) -> None:
        super().__init__()
        dim = config.emb_dim
        self.class_token = nn.Parameter(torch.zeros(dim))
        self.distillation_token = nn.Parameter(torch.zeros(dim))
        self.positions = nn.Parameter(torch.zeros(config.num_positions, dim))
        self.embedding = nn.Linear(config.patch_size**2, dim)
        init_glorot(self.embedding.weight, dim, self.embedding.in_features)
        nn.init.zeros_(self.embedding.bias)
        self.blocks = nn.ModuleList(TowerBlock(config, 1e-6, "tanh") for _ in range(config.num_layers))

    def forward(
        self,
        patches: Tensor,
        grid: Size,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        with_second: bool = True,
    ) -> TowerFeatures:
        """Features of spectrogram patches; arguments as in `ImageTower.forward`, the grid being (time, mel).

        The position table counts patches mel band by mel band, so patch p = t * M + m of a T x M grid has row m * T +
        t.
        """
        steps, bands = grid
        if positions is None:
            positions = torch.arange(steps * bands, device=patches.device).unsqueeze(0)
        rows = (positions % bands) * steps + positions // bands
        embedded = self.embedding(patches.to(self.positions.dtype)) + functional.embedding(
            rows, self.positions[LEADING_TOKENS:]
        )
        leading = torch.stack((self.class_token, self.distillation_token)) + self.positions[:LEADING_TOKENS]
        x = torch.cat((leading.expand(patches.shape[0], -1, -1), embedded), dim=1)
        return run_blocks(self.blocks, x, mask, LEADING_TOKENS, with_second)
