"""Codebook use: the share of a codebook that occurs in codes, and how many equally frequent codes those are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from embodio.datasets.metrics.parts.metric import Combined, Doubles, MetricError, SumsMetric, given, higher


@dataclass(frozen=True, eq=False, kw_only=True)
class Coded:
    """The codes of a picture or a sound.

    Attributes:
        codes: int [...], from 0 on; None where only the codebook is stated.
        size: number of codes of the codebook.
    """

    size: int
    codes: npt.NDArray[np.integer] | None = None


class CodebookUse(SumsMetric[Coded]):
    """Statistics of the codes of all items together; of the annotation only the size counts."""

    figures = higher("codes_used", "code_perplexity")
    reads = ("codes",)
    unbounded = ("code_perplexity",)

    def measure(self, found: Coded | None, truth: Coded) -> list[float]:
        """How often each code occurs; raises MetricError for a code that is not in the codebook."""
        if found is None:
            return [0.0] * truth.size
        codes = np.asarray(given(found, "codes")).reshape(-1)
        if len(codes) and not 0 <= codes.min() <= codes.max() < truth.size:
            raise MetricError(f"codes: {codes.min()} to {codes.max()} are not all in 0 .. {truth.size - 1}")
        return [float(count) for count in np.bincount(codes, minlength=truth.size)]

    def of_sums(self, sums: Doubles) -> Combined:
        """Share and perplexity of counts."""
        counts = torch.from_numpy(np.ascontiguousarray(sums))
        spread = np.array([float(perplexity(row)) for row in counts])
        return {"codes_used": (sums > 0).mean(axis=1), "code_perplexity": spread}

    def scores(self, measures: Sequence[Sequence[float]]) -> Doubles:
        """The share of the codebook that each item uses."""
        return (np.array(measures, dtype=np.float64) > 0).mean(axis=1)


def codebook_use(codes: Tensor, num_codes: int) -> tuple[float, float]:
    """The share of a codebook that occurs in codes [...], and their perplexity."""
    counts = torch.bincount(codes.flatten(), minlength=num_codes)
    return float((counts > 0).double().mean()), float(perplexity(counts))


def perplexity(counts: Tensor) -> Tensor:
    """The number of equally frequent codes with the same entropy as codes with these counts [K]; a scalar."""
    shares = counts.double() / counts.sum().clamp(min=1)
    return torch.exp(-(shares * shares.clamp(min=1e-30).log()).sum()).float()


METRIC = CodebookUse()
