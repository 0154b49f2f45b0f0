"""What robot metrics compare: series of actions, and outcomes of episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.envs.embodiment import Embodiment
from embodio.model.tasks.base.family import Annotation


@dataclass(frozen=True, eq=False, kw_only=True)
class ActionSeries(Annotation):
    """Actions of consecutive steps, after what a robot observed.

    Attributes:
        embodiment: the robot.
        instruction: what it is asked to do: words, or words, pictures and sounds in order.
        step: number of the first of these steps in its episode.
        count: number T of these steps.
        observations: of the robot, name -> array, as an environment gives them; oldest first, that of `step` last.
        played: float32 [n, A], what was done at the steps of the earlier observations.
        actions: float [T, A]; None in a request.
        limits: float [2, A], the lowest and highest value of each number, by which an unreadable answer is judged.
    """

    embodiment: Embodiment | None = field(default=None, repr=False)
    instruction: Any = ""
    step: int = 0
    count: int = 1
    observations: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    played: npt.NDArray[np.float32] | None = field(default=None, repr=False)
    actions: npt.NDArray[np.floating] | None = None
    limits: npt.NDArray[np.floating] | None = field(default=None, repr=False)


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
