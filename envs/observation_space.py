"""What environments of one robot share: the space of their observations, and the settings of their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError
from embodio.envs.instruction_space import Instruction

RENDER_MODES = ["rgb_array"]
"""What gymnasium's metadata of an environment lists."""


def observation_space(embodiment: Embodiment, cameras: bool = True, state: spaces.Box | None = None) -> spaces.Dict:
    """The space of observations of a robot: an image of each camera, "state" and "instruction".

    Args:
        embodiment: of the robot.
        cameras: whether observations hold images, uint8 [H, W, channels].
        state: float32 [S]; None for an open box. Physical limits are soft in simulation, and `embodiment.state` holds
            the nominal ones.
    """
    items: dict[str, spaces.Space[Any]] = {}
    for camera in embodiment.cameras if cameras else ():
        items[camera.name] = spaces.Box(0, 255, (camera.height, camera.width, camera.channels), np.uint8)
    items["state"] = state or spaces.Box(-np.inf, np.inf, (len(embodiment.state),), np.float32)
    items["instruction"] = Instruction()
    return spaces.Dict(items)


def require_settings(horizon: int | None, render_mode: str | None) -> None:
    """Checks the settings that every environment has.

    Args:
        horizon: number of steps; None where the environment chooses it.
        render_mode: None, or one of `RENDER_MODES`.

    Raises:
        EnvError: `horizon` is not positive, or `render_mode` is unknown.
    """
    if horizon is not None and horizon < 1:
        raise EnvError(f"horizon must be at least 1 step, got {horizon}")
    if render_mode not in (None, *RENDER_MODES):
        raise EnvError(f"render_mode {render_mode!r} is not known; use None or 'rgb_array'")
