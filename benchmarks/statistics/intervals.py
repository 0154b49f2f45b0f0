"""The Wilson score interval of a success rate, and normal quantiles."""

from __future__ import annotations

import math
from statistics import NormalDist


def normal_quantile(probability: float) -> float:
    """The number below which a standard normal variable lies with this probability, strictly between 0 and 1."""
    return NormalDist().inv_cdf(probability)


def wilson_interval(successes: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a success rate (Wilson 1927, without continuity correction).

    Its limits are the rates p at which |successes / trials - p| = z sqrt(p (1 - p) / trials).

    Args:
        successes: number of successes; fractions are allowed, for tables that are scaled to another size.
        trials: number of trials; without any the interval is [0, 1].
        level: confidence, strictly between 0 and 1.

    Returns:
        The lower and the upper limit, in [0, 1].

    Raises:
        ValueError: there are more successes than trials, or a number is negative.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"successes must be from 0 to trials, got {successes} of {trials}")
    if trials == 0:
        return 0.0, 1.0
    z = normal_quantile(0.5 + level / 2)
    rate, spread = successes / trials, z * z / trials
    middle = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / trials + spread / (4 * trials)) / (1 + spread)
    low = 0.0 if successes == 0 else max(0.0, min(rate, middle - half))
    high = 1.0 if successes == trials else min(1.0, max(rate, middle + half))
    return low, high
