"""PushtEnv: the task of gym-pusht, in which a round finger pushes a T-shaped block onto its outline."""

from __future__ import annotations

import importlib
import os
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodio.envs.actions import action_box, checked_action
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.errors import EnvError
from embodio.envs.family import Simulator
from embodio.envs.observation_space import RENDER_MODES, observation_space, require_settings

Observation = dict[str, Any]
SIMULATOR = Simulator(
    "gym_pusht", "run `pip install --no-deps gym-pusht==0.1.8 pymunk==6.11.1 shapely==2.2.0 pygame-ce==2.5.8`"
)
INSTRUCTION = "push the T-shaped block onto the T-shaped target"
CONTROL_HZ = 10.0
_SIDE = 512.0  # of the board, in its own units
_RENDER_SIZE = 256  # pixels, for videos


def pushing_finger(image_size: int = 96) -> Embodiment:
    """A finger on a board, seen from above; an action is the point it is pulled to, in units of 1/512 of the board."""
    action = ActionSpec(
        tuple(Dimension(f"target_{axis}", "1/512 board", 0.0, _SIDE) for axis in "xy"),
        mode="absolute", frame="board", rotation="none", gripper="none", controller="PD",
    )  # fmt: skip
    state = tuple(Dimension(f"finger_{axis}", "1/512 board", 0.0, _SIDE) for axis in "xy")
    return Embodiment("pusht/finger", action, state, (Camera("top", image_size, image_size),), None, CONTROL_HZ)


class PushtEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """PushT, as Diffusion Policy and LeRobot play it.

    An observation is a dict of
        top: RGB image of the board, uint8 [image_size, image_size, 3] (absent with `cameras=False`);
        state: float32 [2], position of the finger;
        instruction: always `INSTRUCTION`.
    An action is float32 [2], see `pushing_finger`. There is no scripted expert.

    `terminated` means success (also `info["success"]`): the block covers 95 % of its outline; `info["coverage"]` says
    how much. `truncated` means that `horizon` steps have passed. The same seed yields the same pixels.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": int(CONTROL_HZ)}  # noqa: RUF012

    def __init__(
        self, horizon: int = 300, cameras: bool = True, image_size: int = 96, render_mode: str | None = None
    ) -> None:
        """Configures the environment; the simulator itself starts at the first `reset`.

        Args:
            horizon: number of steps after which an episode is truncated.
            cameras: whether observations hold images.
            image_size: height and width of the images, in pixels.
            render_mode: None, or "rgb_array" for a larger view from `render`.

        Raises:
            EnvError: gym-pusht is not installed, `horizon` is not positive or `render_mode` is unknown.
        """
        require_settings(horizon, render_mode)
        SIMULATOR.require()
        self.horizon, self.cameras, self.render_mode = horizon, cameras, render_mode
        self.embodiment = pushing_finger(image_size)
        self.action_space = action_box(self.embodiment.action.dimensions)
        # A finger that is pushed against the wall may leave the board a little, so the box of states is open.
        self.observation_space = observation_space(self.embodiment, cameras)
        self._game: Any = None
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: determines the episode completely; None continues with the current generator.
            options: not used.

        Returns:
            The first observation and `{"success": False}`.
        """
        super().reset(seed=seed)
        if self._game is None:
            self._game = _start(self.embodiment.cameras[0].width, self.cameras)
        seen, _ = self._game.reset(seed=int(self.np_random.integers(2**31)) if seed is None else seed)
        self._steps = 0
        return self._observation(seen), {"success": False}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Executes one action for 1/10 s.

        Args:
            action: float32 [2], each from 0 to 512.

        Returns:
            observation, reward (1.0 on success, else 0.0), terminated, truncated, info with "success" and "coverage".

        Raises:
            InvalidAction: the shape is wrong, or a number is not finite or outside the limits; names the dimension.
            EnvError: the environment was not reset.
        """
        command = checked_action(action, self.embodiment.action.dimensions)
        seen, _, terminated, _, told = self._running().step(command)
        self._steps += 1
        success = bool(terminated)
        info = {"success": success, "coverage": float(told["coverage"])}
        return self._observation(seen), float(success), success, self._steps >= self.horizon, info

    def render(self) -> NDArray[np.uint8] | None:
        """The board as uint8 [256, 256, 3] if `render_mode` is "rgb_array", else None."""
        return None if self.render_mode is None else np.asarray(self._running().render())

    def close(self) -> None:
        """Ends the simulator; `reset` would start it again."""
        game, self._game = self._game, None
        if game is not None:
            game.close()

    def _running(self) -> Any:
        if self._game is None:
            raise EnvError("the environment is not running; call reset() first")
        return self._game

    def _observation(self, seen: Any) -> Observation:
        if not self.cameras:
            return {"state": np.asarray(seen[:2], np.float32), "instruction": INSTRUCTION}
        state = np.asarray(seen["agent_pos"], np.float32)
        return {self.embodiment.cameras[0].name: seen["pixels"], "state": state, "instruction": INSTRUCTION}


def _start(image_size: int, cameras: bool) -> Any:
    """The game, which draws without a window."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    game = importlib.import_module("gym_pusht.envs.pusht").PushTEnv
    return game(
        obs_type="pixels_agent_pos" if cameras else "state", render_mode="rgb_array",
        observation_width=image_size, observation_height=image_size,
        visualization_width=_RENDER_SIZE, visualization_height=_RENDER_SIZE,
    )  # fmt: skip
