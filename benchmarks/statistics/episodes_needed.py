"""How many pairs of episodes a verdict will need, if the rates seen so far hold."""

from __future__ import annotations

import math
from collections.abc import Callable

from embodio.benchmarks.statistics.intervals import normal_quantile
from embodio.benchmarks.statistics.paired import PairedTable, newcombe_interval

MOST = 1_000_000
"""No number of pairs above this is looked for."""


def pairs_for_a_difference(table: PairedTable, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Pairs with which the McNemar test finds the observed difference with some power.

    Connor (1987), Biometrics 43, 207: (z sqrt(psi) + z' sqrt(psi - delta^2))^2 / delta^2 for the share of discordant
    pairs psi, the difference delta and the normal quantiles z of 1 - alpha / 2 and z' of the power.

    Args:
        table: what was observed.
        alpha: level of the two-sided test.
        power: probability with which it rejects.

    Returns:
        The total number of pairs; None without a difference, or if more than `MOST` are needed.
    """
    if not table.difference:
        return None
    share = (table.only_a + table.only_b) / table.pairs
    squared = table.difference**2
    z, z_power = normal_quantile(1 - alpha / 2), normal_quantile(power)
    needed = math.ceil((z * math.sqrt(share) + z_power * math.sqrt(max(0.0, share - squared))) ** 2 / squared)
    return needed if needed <= MOST else None


def pairs_for_equality(table: PairedTable, margin: float, level: float = 0.95) -> int | None:
    """Pairs with which Newcombe's interval lies inside -margin to margin, if the shares stay those observed.

    Args:
        table: what was observed.
        margin: the largest difference of success rates that counts as equal.
        level: confidence of the interval.

    Returns:
        The total number of pairs; None if the observed difference reaches the margin, or if it takes more than `MOST`.
    """
    if not table.pairs or abs(table.difference) >= margin:
        return None

    def inside(pairs: int) -> bool:
        low, high = newcombe_interval(table.scaled(pairs), level)
        return -margin < low and high < margin

    return _first(inside)


def _first(holds: Callable[[int], bool]) -> int | None:
    """The smallest number from which a condition holds that stays true; None if that is above `MOST`."""
    high = 1
    while not holds(high):
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
