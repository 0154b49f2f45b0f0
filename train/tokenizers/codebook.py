"""The codebook in training: vectors follow the latents that choose them, and codes that nobody chooses are moved.

Each code is the running mean of its latents (van den Oord et al., arXiv 1711.00937, appendix A.1). All statistics are
buffers and all draws come from torch's generator, which the trainer seeds from (seed, step): a resumed run goes on to
the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.tokenizers.tokenizer_layers import nearest_codes, normalised_rows
from embodio.train.tokenizers.settings import CodebookConfig

SMALLEST = 1e-5


class Quantised(NamedTuple):
    """What `Codebook` makes of latents.

    Attributes:
        vectors: the chosen codes with the gradient of the latents (straight-through), [..., D].
        codes: int64 [...].
        commitment: scalar, mean squared distance between latents and codes; its gradient goes to the latents.
    """

    vectors: Tensor
    codes: Tensor
    commitment: Tensor


class Codebook(nn.Module):
    """Statistics by which the codebook of a tokeniser is trained.

    Args:
        table: the tokeniser's codebook [K, D]; it gets no gradient, its values are set here.
        config: how it is trained.
        unit_length: whether latents and codes are compared at unit length, as the audio tokeniser does.
    """

    uses: Tensor
    sums: Tensor
    idle: Tensor
    begun: Tensor

    def __init__(self, table: nn.Parameter, config: CodebookConfig, *, unit_length: bool = False) -> None:
        super().__init__()
        self.config, self.unit_length = config, unit_length
        table.requires_grad_(False)
        codes, dim = table.shape
        self.register_buffer("uses", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, dim))
        self.register_buffer("idle", torch.zeros(codes, dtype=torch.int64))
        self.register_buffer("begun", torch.zeros((), dtype=torch.int64))

    def forward(self, latents: Tensor, table: nn.Parameter) -> Quantised:
        """Chooses the nearest codes, and in training mode moves the codebook.

        Args:
            latents: [..., D].
            table: the codebook [K, D]; changed in place in training mode.

        Returns:
            Codes chosen before the codebook is moved; it is not moved by latents that are not finite.
        """
        compared = functional.normalize(latents.float(), dim=-1) if self.unit_length else latents.float()
        moves = self.training and bool(compared.isfinite().all())  # else the guard judges the step
        if moves and not self.begun:
            self._begin(compared.detach().flatten(0, -2), table)
        rows = normalised_rows(table) if self.unit_length else table
        codes = nearest_codes(compared.detach(), rows)
        chosen = functional.embedding(codes, rows).detach()
        if moves:
            self._move(compared.detach().flatten(0, -2), codes.flatten(), table)
        commitment = (compared - chosen).square().mean()
        return Quantised(chosen + (compared - compared.detach()), codes, commitment)

    @torch.no_grad()
    def adopt(self, table: Tensor) -> None:
        """Begins with the codes of a trained table, as if each had been chosen once a step on average."""
        self.uses.fill_(1.0)
        self.sums.copy_(table)
        self.begun.fill_(1)

    @torch.no_grad()
    def _begin(self, latents: Tensor, table: nn.Parameter) -> None:
        """Puts the codes onto latents of the first batch."""
        self._place(latents, table, torch.ones(len(table), dtype=torch.bool, device=table.device))
        self.begun.fill_(1)

    @torch.no_grad()
    def _move(self, latents: Tensor, codes: Tensor, table: nn.Parameter) -> None:
        counts = torch.bincount(codes, minlength=len(table)).to(latents.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, codes, latents)
        self.uses.lerp_(counts, 1.0 - self.config.decay)
        self.sums.lerp_(sums, 1.0 - self.config.decay)
        self.idle.add_(1).masked_fill_(counts > 0, 0)
        used = self.uses > SMALLEST
        table[used] = (self.sums[used] / self.uses[used, None]).to(table.dtype)
        dead = self.idle >= self.config.patience
        if dead.any():
            self._place(latents, table, dead)

    def _place(self, latents: Tensor, table: nn.Parameter, which: Tensor) -> None:
        """Puts some codes onto random latents, as if each had been chosen once a step on average."""
        drawn = latents[torch.randint(len(latents), (int(which.sum()),), device=latents.device)]
        table[which] = drawn.to(table.dtype)
        self.uses[which] = 1.0
        self.sums[which] = drawn
        self.idle[which] = 0
