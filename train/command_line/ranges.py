"""Ranges of settings: one line for each key of a schema, and an error that names the key, the value and the range."""

from __future__ import annotations

import math
from dataclasses import dataclass

from embodio.train.command_line.schema import UsageError


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`.

    Attributes:
        low: the least; -inf for none.
        high: the greatest; inf for none.
        above: `low` itself is too small.
        below: `high` itself is too large.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether a number is one of them; infinities and NaN never are."""
        if not math.isfinite(value):
            return False
        low_enough = value < self.high if self.below else value <= self.high
        return low_enough and (value > self.low if self.above else value >= self.low)

    def __str__(self) -> str:
        """The range in words, after "expected"."""
        least = f"more than {self.low:g}" if self.above else f"{self.low:g} or more"
        if self.high == math.inf:
            return least
        most = f"less than {self.high:g}" if self.below else f"at most {self.high:g}"
        return f"{self.low:g} to {self.high:g}" if not (self.above or self.below) else f"{least} and {most}"


COUNT = Range(0)
AT_LEAST_ONE = Range(1)
POSITIVE = Range(0, above=True)
NOT_NEGATIVE = Range(0)
SHARE = Range(0, 1)
PROPER_SHARE = Range(0, 1, above=True, below=True)
DECAY = Range(0, 1, below=True)
PORT = Range(0, 65535)


def require_ranges(config: object, prefix: str = "", **ranges: Range) -> None:
    """Checks settings of a schema, for its `__post_init__`; one that is None is not set, each number of a list counts.

    Args:
        config: the schema's instance.
        prefix: what the keys begin with on the command line, such as "optimiser.".
        **ranges: field name -> its range.

    Raises:
        UsageError: a setting is outside its range.
    """
    for name, allowed in ranges.items():
        given = getattr(config, name)
        values = given if isinstance(given, tuple | list) else () if given is None else (given,)
        for value in values:
            if value not in allowed:
                raise UsageError(f"{prefix}{name}: got {value}, expected {allowed}")
