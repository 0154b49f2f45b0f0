"""MixtureConfig: the rates at which tasks share one stream of examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from embodio.datasets.errors import DatasetError


@dataclass(frozen=True)
class MixtureConfig:
    """How tasks share the stream.

    Attributes:
        mode: "infinite" draws at fixed rates, so small data sets are seen more often than large ones where the rates
            say so; "epoch" visits every record of all tasks once in an epoch, whatever the weights.
        temperature: T; a task of n records gets weight * n^(1/T). 1 is by size, 2 is the square root of the size, the
            larger the more equal, and 0 leaves the size out: the weights alone count.
        categories: rate of each category of tasks; within a category tasks share as above. Empty for no categories.
    """

    mode: Literal["infinite", "epoch"] = "infinite"
    temperature: float = 0.0
    categories: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mode not in ("infinite", "epoch"):
            raise DatasetError(f"mode: got {self.mode!r}, expected infinite or epoch")
        if not (self.temperature == 0 or self.temperature >= 1):
            raise DatasetError(f"temperature: got {self.temperature}, expected 0 (sizes do not count) or at least 1")
