"""Settings of what watches a run."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import UsageError

_ACTIONS = ("stop", "skip")


@dataclass(frozen=True)
class GuardConfig:
    """What happens at a step whose loss or gradient is not a number, or whose loss jumps up.

    Attributes:
        not_finite: stop ends the run; skip leaves the weights as they are and goes on with the next batch.
        spike: a loss above this many times the median of the losses before is a spike; 0 looks for none.
        on_spike: stop or skip.
        window: losses of which the median is taken; nothing is a spike before there are that many.
        most: steps in a row that may be skipped; one more stops the run.
    """

    not_finite: str = "stop"
    spike: float = 0.0
    on_spike: str = "skip"
    window: int = 100
    most: int = 10

    def __post_init__(self) -> None:
        require_ranges(self, "guard.", spike=NOT_NEGATIVE, window=AT_LEAST_ONE, most=COUNT)
        for name in ("not_finite", "on_spike"):
            if getattr(self, name) not in _ACTIONS:
                raise UsageError(f"guard.{name}: got {getattr(self, name)!r}, expected stop or skip")
