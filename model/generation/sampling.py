"""Sampling of the next token: temperature, top-k and top-p, with independent random numbers per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from embodio.model.errors import DecodingError

_SEEDS = range(-(2**63), 2**63)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Settings of sampling.

    Attributes:
        temperature: divisor of the scores, above 0; below 1 sharpens, above 1 flattens.
        top_k: draw among this many best tokens only; None for all. Tokens that tie with the last of them stay.
        top_p: draw among the fewest best tokens that together have at least this probability; None for all. The most
            probable token always stays.
        order: "jax" cuts by top-p, then by top-k, on the plain scores and divides by the temperature afterwards, as the
            released weights were tried; "huggingface" divides first and cuts by top-k, then by top-p. They differ
            wherever the temperature is not 1.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    order: Literal["jax", "huggingface"] = "jax"

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < float("inf"):
            raise DecodingError(f"temperature {self.temperature} must be above 0; decode greedily instead of with 0")
        if self.top_k is not None and self.top_k < 1:
            raise DecodingError(f"top_k {self.top_k} must be at least 1, or None for no cut")
        if self.top_p is not None and not 0.0 < self.top_p <= 1.0:
            raise DecodingError(f"top_p {self.top_p} must be in (0, 1], or None for no cut")
        if self.order not in ("jax", "huggingface"):
            raise DecodingError(f"sampling order {self.order!r} is not known; choose 'jax' or 'huggingface'")

    def restrict(self, scores: Tensor) -> Tensor:
        """Cut and temper scores [N, V]; what is cut becomes -inf. The softmax of the result is drawn from."""
        # Scores matter up to a constant; with the largest at 0, dividing by a small temperature cannot overflow.
        scores = scores - scores.amax(dim=-1, keepdim=True)
        if self.order == "jax":
            return self._keep_top_k(self._keep_top_p(scores)) / self.temperature
        return self._keep_top_p(self._keep_top_k(scores / self.temperature))

    def _keep_top_k(self, scores: Tensor) -> Tensor:
        return scores if self.top_k is None else keep_top_k(scores, self.top_k)

    def _keep_top_p(self, scores: Tensor) -> Tensor:
        return scores if self.top_p is None else keep_top_p(scores, self.top_p)


def keep_top_k(scores: Tensor, count: int) -> Tensor:
    """Scores [N, V] with all but the `count` largest of each row (and ties with the last of them) at -inf."""
    if count >= scores.shape[-1]:
        return scores
    last = scores.topk(count, dim=-1).values[:, -1:]
    return scores.masked_fill(scores < last, -torch.inf)


def keep_top_p(scores: Tensor, probability: float) -> Tensor:
    """Scores [N, V] with all but the fewest largest that sum to `probability` after a softmax at -inf, row by row."""
    if probability >= 1.0:
        return scores
    ordered, ids = scores.sort(dim=-1, descending=True, stable=True)
    shares = ordered.double().softmax(dim=-1)
    # A token goes when those before it are enough already; nothing is before the first, so that one stays.
    gone = shares.cumsum(dim=-1) - shares >= probability
    gone[:, 0] = False
    return scores.masked_fill(torch.zeros_like(gone).scatter(-1, ids, gone), -torch.inf)


def draw(scores: Tensor, noise: Tensor) -> Tensor:
    """Draw one id per row from the softmax of the scores.

    Args:
        scores: [N, V]; -inf for what must not be drawn, at least one finite score per row.
        noise: float64 [N], uniform in [0, 1): the share of the distribution, in the order of the ids, to go to.

    Returns:
        int64 [N].
    """
    shares = scores.double().softmax(dim=-1).cumsum(dim=-1)
    total = shares[:, -1:]
    below = torch.nextafter(total, torch.zeros_like(total))
    goal = torch.minimum(noise.unsqueeze(-1) * total, below)
    return torch.searchsorted(shares, goal, right=True).squeeze(-1)


def row_seeds(seeds: int | Sequence[int], rows: int) -> list[int]:
    """One seed for each row: those given, or `seeds`, `seeds + 1`, ... for a single number.

    Raises:
        DecodingError: there are not as many seeds as rows, or one is not a whole number of 64 bits.
    """
    given = [seeds + row for row in range(rows)] if isinstance(seeds, int) else seeds
    listed = isinstance(given, Sequence | np.ndarray)
    if not listed or not all(isinstance(seed, int | np.integer) and int(seed) in _SEEDS for seed in given):
        raise DecodingError(f"seeds: expected whole numbers from -2**63 to 2**63 - 1, one or one a row, got {seeds!r}")
    if len(given) != rows:
        raise DecodingError(f"{len(given)} seeds were given for {rows} rows; give one for each row, or a single number")
    return [int(seed) for seed in given]


def row_noise(seeds: Sequence[int], count: int) -> Tensor:
    """Uniform numbers float64 [N, count] in [0, 1), row i from `seeds[i]` alone: no row depends on its neighbours.

    They are always made on the CPU, so that a seed means the same on every device.
    """
    generator = torch.Generator()
    return torch.stack(
        [torch.rand(count, generator=generator.manual_seed(seed), dtype=torch.float64) for seed in seeds]
    )


def part_seed(seed: int, part: int) -> int:
    """The seed of a part, a function of the request's seed and the part's number alone.

    Part 0 has the seed itself, so that a request of one part draws what a plain request with that seed does. Other
    parts have numbers in [0, 2**63).
    """
    if part == 0:
        return seed
    digest = blake2b(f"{seed}/{part}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
