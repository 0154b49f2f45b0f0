"""The image tower: a ViT (OpenCLIP ViT-B/16; paper, appendix B.1), and the block that both towers share."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.config.parts import IMAGE_CHANNELS, ImageTowerConfig, Size, TowerConfig
from embodio.model.layers.attention import attend
from embodio.model.layers.layers import BiasedLinear, init_glorot
from embodio.model.layers.token_sequence import cross_attention_mask
from embodio.model.pauses import BETWEEN, pause

SECOND_BLOCK = 1
"""Index of the block whose output is the second feature."""


class TowerFeatures(NamedTuple):
    """Features of patches [B, N, D] from the last block, and optionally from the second."""

    last: Tensor
    second: Tensor | None

    def joined(self) -> Tensor:
        """Both features side by side [B, N, 2 D], or the last alone."""
        return self.last if self.second is None else torch.cat((self.last, self.second), dim=-1)


class TowerBlock(nn.Module):
    """Pre-norm block with LayerNorm, biases and a plain MLP."""

    attention_dtype: torch.dtype | None = None

    def __init__(self, config: TowerConfig, epsilon: float, gelu: Literal["tanh", "none"]) -> None:
        super().__init__()
        dim, width = config.emb_dim, config.num_heads * config.head_dim
        self.num_heads, self.gelu = config.num_heads, gelu
        self.attention_norm = nn.LayerNorm(dim, eps=epsilon)
        self.query_key_value = BiasedLinear(dim, 3 * width)
        self.out = BiasedLinear(width, dim)
        self.mlp_norm = nn.LayerNorm(dim, eps=epsilon)
        self.up = BiasedLinear(dim, config.mlp_dim)
        self.down = BiasedLinear(config.mlp_dim, dim)
        for layer in (self.query_key_value, self.out, self.up, self.down):
            init_glorot(layer.weight, layer.out_features, layer.in_features)
            nn.init.zeros_(layer.bias)
        init_glorot(self.query_key_value.weight, width, dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map [B, L, D] to [B, L, D]; `mask` is bool [B, 1, 1, L] or None."""
        fused = self.query_key_value(self.attention_norm(x)).unflatten(-1, (3, self.num_heads, -1))
        x = x + self.out(attend(*fused.unbind(2), mask=mask, dtype=self.attention_dtype))
        return x + self.down(functional.gelu(self.up(self.mlp_norm(x)), approximate=self.gelu))


def run_blocks(blocks: nn.ModuleList, x: Tensor, mask: Tensor | None, skip: int, with_second: bool) -> TowerFeatures:
    """Run x [B, skip + N, D] through the blocks; returns features of the N patches, without the leading tokens."""
    if mask is not None:
        mask = cross_attention_mask(functional.pad(mask, (skip, 0), value=True))
    second = None
    for index, block in enumerate(blocks):
        if not torch.compiler.is_compiling() and BETWEEN.get() is not None:
            pause()
        x = block(x, mask)
        if index == SECOND_BLOCK and with_second:
            second = x[:, skip:]
    return TowerFeatures(x[:, skip:], second)


class ImageTower(nn.Module):
    """Image ViT: patches, a class token, learned positions, a norm, then blocks. The final norm of CLIP is left out."""

    def __init__(self, config: ImageTowerConfig) -> None:
        super().__init__()
        self.config = config
        dim, rows = config.emb_dim, 1 + config.position_grid[0] * config.position_grid[1]
        self.class_token = nn.Parameter(torch.empty(dim))
        self.positions = nn.Parameter(torch.empty(rows, dim))
        nn.init.normal_(self.class_token, std=dim**-0.5)
        nn.init.normal_(self.positions, std=dim**-0.5)
        self.embedding = nn.Linear(IMAGE_CHANNELS * config.patch_size**2, dim, bias=False)
        init_glorot(self.embedding.weight, dim, self.embedding.in_features)
        self.pre_norm = nn.LayerNorm(dim, eps=1e-5)
        self.blocks = nn.ModuleList(TowerBlock(config, 1e-5, "none") for _ in range(config.num_layers))

    def position_table(self, grid: Size) -> Tensor:
        """Learned positions [rows * columns, D] of a grid, resized (bicubic, antialiased) where the grid differs."""
        table = self.positions[1:]
        if grid == self.config.position_grid:
            return table
        image = table.float().unflatten(0, self.config.position_grid).permute(2, 0, 1).unsqueeze(0)
        resized = functional.interpolate(image, size=grid, mode="bicubic", align_corners=False, antialias=True)
        return resized.squeeze(0).flatten(1).t().to(table.dtype)

    def forward(
        self,
        patches: Tensor,
        grid: Size,
        positions: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        with_second: bool = True,
    ) -> TowerFeatures:
        """Features of patches.

        Args:
            patches: [B, N, 3 * patch * patch] in (row, column, channel) order, normalised.
            grid: rows and columns of the full grid of patches.
            positions: int [B, N], indices into that grid; None when the patches are the full grid in order.
            mask: bool [B, N], True where a patch is valid; None when all are.
            with_second: also return the output of the second block.

        Returns:
            Features [B, N, D].
        """
        table = self.position_table(grid)
        embedded = self.embedding(patches.to(table.dtype)) + (
            table if positions is None else functional.embedding(positions, table)
        )
        first = (self.class_token + self.positions[0]).expand(patches.shape[0], 1, -1)
        return run_blocks(self.blocks, self.pre_norm(torch.cat((first, embedded), dim=1)), mask, 1, with_second)
