"""Hypotheses about faults in recorded actions: modified sequences to try in the simulator instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.envs.embodiment import Embodiment

_SHIFTS = (1, 2, 3, 4)  # steps

Actions = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attempt:
    """Actions to execute, and what to compare with (legend: M executed actions, T recorded steps).

    Attributes:
        actions: float32 [M, A].
        moments: int [M + 1], the recorded step whose state is that after that many of them; -1 for none.
        found: what is wrong, if this is what brings the recorded states about; empty for the actions as recorded.
        remedy: what to do then.
    """

    actions: Actions
    moments: npt.NDArray[np.int64]
    found: str = ""
    remedy: str = ""


def as_recorded(actions: Actions) -> Attempt:
    """The actions [T, A] one after the other."""
    return Attempt(actions, _moments(len(actions), len(actions)))


def hypotheses(actions: Actions, robot: Embodiment) -> Iterator[Attempt]:
    """Common faults of recordings: delays, left out or repeated steps, inverted axes.

    Args:
        actions: as recorded, [T, A].
        robot: that of the simulator.
    """
    steps = len(actions)
    for shift in _SHIFTS:
        if shift >= steps:
            break
        by = f"by {shift} step{'s' if shift > 1 else ''}"
        late, early = f"actions come too late {by}", f"actions come too early {by}"
        yield Attempt(actions[shift:], _moments(steps - shift, steps), late, f"pair step t with action t + {shift}")
        held = np.concatenate([np.repeat(actions[:1], shift, axis=0), actions])
        yield Attempt(held, _moments(len(held), steps), early, f"pair step t with action t - {shift}")
    twice = _moments(2 * steps, steps)
    twice[::2], twice[1::2] = np.arange(steps + 1), -1
    hz = robot.control_hz
    remedy = f"the control frequency is half of {hz:g} Hz: set control_hz to {hz / 2:g}, or convert all the steps"
    twice[-1] = -1
    yield Attempt(np.repeat(actions, 2, axis=0), twice, "steps were left out: each lasts as long as two", remedy)
    half = np.minimum(2 * np.arange(len(actions[::2]) + 1), steps - 1)
    remedy = f"the control frequency is twice {hz:g} Hz: set control_hz to {hz * 2:g}, or leave out every second step"
    yield Attempt(actions[::2], half, "steps are repeated: two last as long as one", remedy)
    for place, dimension in enumerate(robot.action.dimensions):
        flipped = actions.copy()
        flipped[:, place] = dimension.low + dimension.high - flipped[:, place]
        remedy = f"turn {dimension.name} around when converting, or correct the embodiment"
        yield Attempt(flipped, _moments(steps, steps), f"{dimension.name} has the wrong sign", remedy)


def _moments(executed: int, steps: int) -> npt.NDArray[np.int64]:
    """State m is that after m actions, where it was recorded."""
    moments = np.arange(executed + 1)
    moments[moments >= steps] = -1
    return moments
