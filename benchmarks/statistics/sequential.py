"""A McNemar test that may be looked at after every pair: its p-values hold at whatever pair one stops.

Fixed-size tests that are repeated until they reject are wrong far more often than they say. Here the evidence against
"A and B succeed equally often" is the likelihood of the discordant pairs under a uniform mixture of coins over that of
a fair coin,

    E = 2^m / ((m + 1) C(m, k))    for k of m discordant pairs in favour of A,

whose mean under the null is 1 after every pair. By Ville's inequality P(E ever reaches 1 / alpha) <= alpha
(Robbins 1970, Annals of Mathematical Statistics 41, 1397).
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def evidence(only_a: int, only_b: int) -> float:
    """The mixture likelihood ratio E against equal success rates; 1 without discordant pairs.

    Args:
        only_a: pairs in which only A succeeded so far.
        only_b: pairs in which only B did.
    """
    discordant = only_a + only_b
    return 2**discordant / ((discordant + 1) * math.comb(discordant, only_a))


def anytime_p_values(pairs: Iterable[tuple[bool, bool]]) -> list[float]:
    """The p-value after each pair (success of A, success of B), in the order in which they were played.

    It is 1 over the largest evidence so far, so it never rises.
    """
    counts, largest, values = [0, 0], 1.0, []
    for a, b in pairs:
        if a != b:
            counts[0 if a else 1] += 1
        largest = max(largest, evidence(*counts))
        values.append(1 / largest)
    return values
