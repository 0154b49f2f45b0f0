"""What tokens cost: bits per token, the unigram entropy to compare with, and accuracy, by modality."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from embodio.model.network.loss import RowSums

Sums = tuple[float, float, float, float]
"""Nats, trained positions, right ones, counted ones."""


class TokenSums:
    """Sums over batches, by modality."""

    def __init__(self) -> None:
        self._sums: dict[str, Sums] = {}
        self._ids: dict[str, Tensor] = {}

    def add(self, rows: Mapping[str, RowSums]) -> None:
        """Adds the examples of a batch."""
        for name, one in rows.items():
            self.add_sums(name, one.sums.double().sum(0))
            known = self._ids.get(name)
            self._ids[name] = one.ids.double() if known is None else known + one.ids

    def add_sums(self, modality: str, sums: Tensor) -> None:
        """Adds sums float64 [4] of some examples, without the counts of their ids."""
        before = self._sums.get(modality, (0.0, 0.0, 0.0, 0.0))
        self._sums[modality] = tuple(old + new for old, new in zip(before, sums.tolist(), strict=True))  # type: ignore[assignment]

    def restart(self) -> None:
        """Forgets the sums, and keeps the counts of ids, whose entropy needs many."""
        self._sums = {}

    def positions(self) -> float:
        """Trained positions of all modalities."""
        return sum(sums[1] for sums in self._sums.values())

    def line(self) -> dict[str, float]:
        """Of each modality `bits_` (per token), `unigram_` (entropy in bits of the targets), `accuracy_`, `tokens_`."""
        found: dict[str, float] = {}
        for name, (nats, positions, right, counted) in self._sums.items():
            if not positions:
                continue
            found[f"bits_{name}"] = nats / positions / math.log(2)
            if name in self._ids:
                found[f"unigram_{name}"] = entropy_bits(self._ids[name])
            if counted:
                found[f"accuracy_{name}"] = right / counted
            found[f"tokens_{name}"] = positions
        return found


def entropy_bits(counts: Tensor) -> float:
    """The entropy of a distribution given by counts [V], in bits; 0 without any."""
    counts = counts.double()
    total = counts.sum()
    if not total > 0:
        return 0.0
    shares = counts[counts > 0] / total
    return float(-(shares * torch.log2(shares)).sum())
