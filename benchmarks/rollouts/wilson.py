"""How sure a success rate is: the Wilson score interval of a share."""

from __future__ import annotations

import math

# Quantile of the normal distribution that leaves 2.5 % on each side.
_Z95 = 1.959963984540054


def wilson_interval(successes: int, trials: int, z: float = _Z95) -> tuple[float, float]:
    """The Wilson score interval of a binomial share (Wilson 1927), by default at 95 %.

    Unlike the textbook interval it stays inside [0, 1] and keeps a width when all trials went the same way.

    Args:
        successes: How many trials succeeded.
        trials: How many there were; without any the interval is [0, 1].
        z: Normal quantile of the wanted confidence.

    Returns:
        Lower and upper limit, both in [0, 1].

    Raises:
        ValueError: There are more successes than trials, or a number is negative.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes: got {successes}, expected 0 to trials ({trials})")
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high
