"""Step rules: settings that decide which steps of a data set are excluded from training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from embodio.datasets.errors import DatasetError


@dataclass(frozen=True, kw_only=True)
class IdleConfig:
    """Thresholds of idle steps, as shares of each dimension's range; a step below both is idle.

    Attributes:
        action: norm of the action; for absolute actions, of its change since the step before.
        state: norm of the change of the state until the next step.
        action_key: the field with actions.
    """

    action: float
    state: float
    action_key: str = "action"

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        for name in ("action", "state"):
            if not getattr(self, name) > 0.0:
                raise DatasetError(f"idle.{name}: got {getattr(self, name)}, expected a threshold above 0")


@dataclass(frozen=True, kw_only=True)
class StepRules:
    """Steps to leave out, besides those that are not finite.

    Attributes:
        idle: thresholds of idle steps; None keeps them.
        ranges: numeric field ("state"), or one dimension of it ("state/z") -> lowest and highest value. A step with a
            value beyond them is left out.
    """

    idle: IdleConfig | None = None
    ranges: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        for name, bounds in self.ranges.items():
            if len(bounds) != 2 or not bounds[0] <= bounds[1]:
                raise DatasetError(f"ranges.{name}: got {list(bounds)}, expected the lowest and the highest value")

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        ranges = {name: list(bounds) for name, bounds in self.ranges.items()}
        return {"idle": None if self.idle is None else asdict(self.idle), "ranges": ranges}
