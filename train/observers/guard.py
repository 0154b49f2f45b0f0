"""Guard: decides from loss and gradient whether a step may change the weights, or ends the run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch

from embodio.datasets.stream.loader import BatchMaker
from embodio.model.network.batch import Batch, positions_of
from embodio.train.errors import Diverged
from embodio.train.objective import Outcome
from embodio.train.observers.config import GuardConfig

_NAMED = 16  # records of a batch that are named


class Guard(Protocol):
    """Judges a step before its update; what it remembers is a part of the run's state, as its judgement changes it."""

    def admits(self, step: int, batches: Sequence[Batch], outcome: Outcome, norm: float) -> bool:
        """Whether step number `step` (0, 1, ...) may change the weights; if not, the run goes on with the next batch.

        Args:
            step: number of the step.
            batches: what it was computed from.
            outcome: loss and figures of the batches.
            norm: global norm of the gradient before clipping.

        Raises:
            Diverged: the run must end here; the weights stay.
        """

    def state_dict(self) -> Mapping[str, Any]:
        """What it remembers, as plain JSON values."""

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Remembers what another guard did."""


class LossGuard:
    """Ends a run, or skips a step, where loss or gradient are not finite or the loss jumps up; names the records.

    Args:
        config: what to look for and to do.
        batches: knows the records of a batch, if it is a `NumberedBatches`.

    Attributes:
        trouble: what was wrong with the last step that was not admitted.
    """

    def __init__(self, config: GuardConfig, batches: BatchMaker) -> None:
        self._config, self._batches = config, batches
        self._losses: list[float] = []
        self._skipped = 0
        self.trouble = ""

    def admits(self, step: int, batches: Sequence[Batch], outcome: Outcome, norm: float) -> bool:
        """True; or False, or Diverged, as the settings say."""
        config, loss = self._config, outcome.loss.item()
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite and not self._is_spike(loss):
            if config.spike:
                self._losses = [*self._losses, loss][-config.window :]
            self._skipped = 0
            return True
        what = f"step {step}: loss {loss:.6g}, gradient norm {norm:.6g}"
        if finite:
            what += f", a spike over the median {statistics.median(self._losses):.6g} of {config.window} steps"
        self.trouble = what + self._records(batches, outcome)
        self._skipped += 1
        if (config.on_spike if finite else config.not_finite) == "stop" or self._skipped > config.most:
            many = f" after {self._skipped - 1} that were skipped" if self._skipped > 1 else ""
            raise Diverged(
                f"{self.trouble}{many}; lower optimiser.learning_rate and go on from the last checkpoint, or skip such "
                f"steps with guard.{'on_spike' if finite else 'not_finite'}=skip"
            )
        return False

    def state_dict(self) -> Mapping[str, Any]:
        """The last losses, and the steps skipped in a row."""
        return {"losses": self._losses, "skipped": self._skipped} if self._losses or self._skipped else {}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Remembers what another guard did."""
        self._losses = [float(loss) for loss in state.get("losses", ())][-self._config.window :]
        self._skipped = int(state.get("skipped", 0))

    def _is_spike(self, loss: float) -> bool:
        config = self._config
        if not config.spike or len(self._losses) < config.window:
            return False
        return loss > config.spike * statistics.median(self._losses)

    def _records(self, batches: Sequence[Batch], outcome: Outcome) -> str:
        """The records of the batches, those with the largest loss first; "" where they are not known."""
        origin = getattr(self._batches, "origin", None)
        positions = positions_of(batches)
        if origin is None or not positions:
            return ""
        losses = _losses_of(outcome, len(positions))
        order = sorted(range(len(positions)), key=lambda row: (not math.isnan(losses[row]), -losses[row]))
        named = [f"{origin(positions[row])} (loss {losses[row]:.3g})" for row in order[:_NAMED]]
        more = f" and {len(order) - _NAMED} more" if len(order) > _NAMED else ""
        return f". Records of the batch, the largest loss first: {'; '.join(named)}{more}"


def _losses_of(outcome: Outcome, count: int) -> list[float]:
    """The mean cross-entropy of the tokens of each example; 0 where it is not known."""
    sums = [rows.sums.double().cpu() for rows in outcome.rows.values() if len(rows.sums) == count]
    if not sums:
        return [0.0] * count
    total = torch.stack(sums).sum(0)
    losses: list[float] = (total[:, 0] / total[:, 1].clamp(min=1.0)).tolist()
    return losses
