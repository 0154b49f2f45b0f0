"""The inputs of a task besides the current picture: history, state and earlier actions, each with dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.datasets.tasks.parts.scene import Scene
from embodio.envs.action_space import describe_actions
from embodio.envs.embodiment import ActionSpec


@dataclass(frozen=True, eq=False)
class Given:
    """The drawn inputs; `fields` are those of `RobotItem`.

    Attributes:
        history: earlier pictures, oldest first.
        state: value ids; empty if not given.
        previous_actions: their token ids; empty if not given.
        action_space: the meaning of an action's numbers; empty if not given.
    """

    history: tuple[npt.NDArray[np.uint8], ...]
    state: list[int]
    previous_actions: list[int]
    action_space: str

    @property
    def fields(self) -> dict[str, Any]:
        """All but the history, by name."""
        return {
            "state": self.state,
            "previous_actions": self.previous_actions,
            "action_space": self.action_space,
        }


def draw_inputs(
    config: InputConfig, scene: Scene, step: int, action: ActionSpec, generator: np.random.Generator | None
) -> Given:
    """Gathers the inputs of one step; `generator` draws the dropout, None drops nothing.

    Two numbers are drawn whatever the settings, so that other settings do not change later draws.
    """
    with_state = with_history = True
    if generator is not None:
        chances = generator.random(2)
        with_state, with_history = bool(chances[0] >= config.drop_state), bool(chances[1] >= config.drop_history)
    history: tuple[npt.NDArray[np.uint8], ...] = ()
    previous: list[int] = []
    if with_history:
        stride = config.history_stride
        reach = range(step - stride * config.history_frames, step, stride)
        history = tuple(scene.picture(earlier) for earlier in reach if earlier >= 0)
        before = range(max(0, step - config.previous_actions), step)
        previous = scene.action_ids(before) if before else []
    state = scene.state_ids(step) if config.state and with_state else []
    return Given(history, state, previous, describe_actions(action) if config.action_space else "")
