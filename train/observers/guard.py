"""Guard: decides from loss and gradient whether a step may change the weights, or ends the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from embodio.model.network.batch import Batch
from embodio.train.errors import Diverged


class Guard(Protocol):
    """Judges a step before its update; what it remembers is a part of the run's state, as its judgement changes it."""

    def admits(self, step: int, batches: Sequence[Batch], loss: float, norm: float) -> bool:
        """Whether step number `step` (0, 1, ...) may change the weights; if not, the run goes on with the next batch.

        Args:
            step: number of the step.
            batches: what it was computed from.
            loss: of the batches.
            norm: global norm of the gradient before clipping.

        Raises:
            Diverged: the run must end here; the weights stay.
        """

    def state_dict(self) -> Mapping[str, Any]:
        """What it remembers, as plain JSON values."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Remembers what another guard did."""


class FiniteGuard:
    """Ends a run whose loss or gradient is no longer finite; remembers nothing."""

    def admits(self, step: int, batches: Sequence[Batch], loss: float, norm: float) -> bool:
        """True; raises Diverged for a number that is not finite."""
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise Diverged(
                f"step {step}: loss {loss}, gradient norm {norm}; lower optimiser.learning_rate and go on from the "
                "last checkpoint"
            )
        return True

    def state_dict(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Nothing to remember."""
