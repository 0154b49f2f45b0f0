"""Paired successes of two policies on the same seeds: their table, the exact McNemar test, and Newcombe's interval."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from embodio.benchmarks.statistics.intervals import wilson_interval


@dataclass(frozen=True)
class PairedTable:
    """Counts of pairs; each is an episode of A and an episode of B with the same seed.

    Counts may be fractions, for tables that are scaled to another number of pairs.

    Attributes:
        both: pairs in which A and B succeed.
        only_a: pairs in which only A succeeds.
        only_b: pairs in which only B succeeds.
        neither: pairs in which both fail.
    """

    both: float
    only_a: float
    only_b: float
    neither: float

    def __post_init__(self) -> None:
        counts = (self.both, self.only_a, self.only_b, self.neither)
        if min(counts) < 0:
            raise ValueError(f"counts must be 0 or more, got {counts}")

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> PairedTable:
        """Counts pairs (success of A, success of B)."""
        counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for a, b in pairs:
            counts[bool(a), bool(b)] += 1
        return cls(*counts.values())

    def __add__(self, other: PairedTable) -> PairedTable:
        return PairedTable(
            self.both + other.both,
            self.only_a + other.only_a,
            self.only_b + other.only_b,
            self.neither + other.neither,
        )

    def scaled(self, pairs: float) -> PairedTable:
        """The table with the same shares and another number of pairs."""
        factor = pairs / self.pairs
        return PairedTable(self.both * factor, self.only_a * factor, self.only_b * factor, self.neither * factor)

    @property
    def pairs(self) -> float:
        """Number of pairs."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def successes(self) -> tuple[float, float]:
        """Successes of A and of B."""
        return self.both + self.only_a, self.both + self.only_b

    @property
    def difference(self) -> float:
        """Success rate of A minus that of B; 0 without pairs."""
        return (self.only_a - self.only_b) / self.pairs if self.pairs else 0.0


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """The two-sided p-value of the exact McNemar test: under the null, each discordant pair is a fair coin.

    It is min(1, 2 P(X <= min(only_a, only_b))) for X ~ Binomial(only_a + only_b, 1/2); 1 without discordant pairs.
    """
    discordant, fewer = only_a + only_b, min(only_a, only_b)
    ways, tail = 1, 0  # the binomial coefficient of k, and the sum of those up to it
    for k in range(fewer + 1):
        tail += ways
        ways = ways * (discordant - k) // (k + 1)
    return min(1.0, 2 * tail / 2**discordant)


def newcombe_interval(table: PairedTable, level: float = 0.95) -> tuple[float, float]:
    """Newcombe's interval of the difference of paired success rates, A minus B.

    Method 10 of Newcombe (1998), Statistics in Medicine 17, 2635: the Wilson intervals of both rates are combined by
    squaring and adding, with the correlation phi of the pairs, whose numerator is corrected for continuity.

    Args:
        table: the pairs; without any the interval is [-1, 1].
        level: confidence, strictly between 0 and 1.

    Returns:
        The lower and the upper limit, in [-1, 1].
    """
    if not table.pairs:
        return -1.0, 1.0
    (low_a, high_a), (low_b, high_b) = (wilson_interval(count, table.pairs, level) for count in table.successes)
    a, b = (count / table.pairs for count in table.successes)
    phi, difference = _correlation(table), table.difference
    below = _combined(a - low_a, high_b - b, phi)
    above = _combined(high_a - a, b - low_b, phi)
    return max(-1.0, difference - below), min(1.0, difference + above)


def _combined(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(0.0, first * first - 2 * phi * first * second + second * second))


def _correlation(table: PairedTable) -> float:
    """Phi of the table, its numerator reduced by half the number of pairs, though not below 0, where positive."""
    (a, b), pairs = table.successes, table.pairs
    size = math.sqrt(a * (pairs - a) * b * (pairs - b))
    if size == 0:
        return 0.0
    agreement = table.both * table.neither - table.only_a * table.only_b
    return (max(0.0, agreement - pairs / 2) if agreement > 0 else agreement) / size
