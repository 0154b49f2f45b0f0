"""InputConfig: a task's inputs besides the current picture, and how often they are dropped."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.datasets.errors import DatasetError
from embodio.model.tokens.vocabulary import HISTORY_SLOTS


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """Inputs of a task, and how often they are dropped (task dropout).

    Attributes:
        history_frames: earlier frames as image history, 0 to 8.
        history_stride: steps between them.
        state: the state as value tokens.
        previous_actions: number of earlier actions given as text.
        action_space: the meaning of an action's numbers, in words.
        drop_state: probability that the state is dropped.
        drop_history: probability that earlier frames and actions are dropped together.
    """

    history_frames: int = 0
    history_stride: int = 1
    state: bool = False
    previous_actions: int = 0
    action_space: bool = False
    drop_state: float = 0.0
    drop_history: float = 0.0

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        if not 0 <= self.history_frames <= HISTORY_SLOTS:
            raise DatasetError(f"inputs.history_frames: got {self.history_frames}, there are {HISTORY_SLOTS} slots")
        if self.history_stride < 1 or self.previous_actions < 0:
            raise DatasetError("inputs: history_stride must be at least 1 and previous_actions at least 0")
        for name in ("drop_state", "drop_history"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise DatasetError(f"inputs.{name}: got {getattr(self, name)}, expected a chance from 0 to 1")
