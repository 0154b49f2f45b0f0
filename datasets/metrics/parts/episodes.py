"""What robot metrics compare: series of actions, and outcomes of episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False, kw_only=True)
class ActionSeries:
    """Actions of consecutive steps.

    Attributes:
        actions: float [T, A]; None in a request.
        limits: float [2, A], the lowest and highest value of each number, by which an unreadable answer is judged.
    """

    actions: npt.NDArray[np.floating] | None = None
    limits: npt.NDArray[np.floating] | None = None


@dataclass(frozen=True, kw_only=True)
class EpisodeOutcome:
    """How an episode went.

    Attributes:
        success: whether the goal was reached; None in a request.
        path: length of the path taken, in metres.
        shortest: length of the shortest path to the goal, in metres; None where it is unknown.
    """

    success: bool | None = None
    path: float = 0.0
    shortest: float | None = None
