"""MinigridEnv: a task of MiniGrid or a level of BabyAI, seen as pictures and acted in with words."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from embodio.envs.actions import action_box, checked_action
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.errors import EnvError, UnknownEnv
from embodio.envs.family import Simulator
from embodio.envs.minigrid.tasks import TASKS, minigrid_id
from embodio.envs.observation_space import RENDER_MODES, observation_space, require_settings

Observation = dict[str, Any]
WORDS = ("left", "right", "forward", "pick up", "drop", "toggle", "done")
"""The actions, in the order of MiniGrid's numbers."""
CELLS = 7  # cells that the agent sees, in width and in depth
TILE = 16  # pixels of a cell
SIMULATOR = Simulator("minigrid", "run `pip install minigrid`")


def grid_agent() -> Embodiment:
    """An agent that turns, walks, and handles the object in front of it, with a picture of the 7 by 7 cells it sees.

    An action is one word. The state is the heading in quarter turns clockwise, 0 towards the right of the map. The
    agent stands at the lower edge of its picture and looks up; what it carries is drawn on its own cell. Actions have
    no duration, so the control frequency is nominal.
    """
    action = ActionSpec((Dimension.of_words("action", WORDS),), "delta", "agent", "none", "none", "grid")
    state = (Dimension("heading", "quarter turn", 0.0, 3.0),)
    view = Camera("view", CELLS * TILE, CELLS * TILE)
    return Embodiment("minigrid/agent", action, state, (view,), microphone=None, control_hz=1.0)


class MinigridEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One task of MiniGrid or one level of BabyAI.

    An observation is a dict of
        view: RGB image of the 7 by 7 cells in front of the agent, uint8 [112, 112, 3] (absent with `cameras=False`);
        state: float32 [1], the heading in quarter turns;
        instruction: the mission as text.
    An action is float32 [1], the place of a word in `WORDS`; numbers in between are rounded.

    `terminated` means success (`info["success"]`) or failure (lava, or a wrong object for example); `truncated` that
    the horizon was reached. Rewards are 1 on success, else 0. The same seed yields the same mission and pixels.

    Attributes:
        last_word: number of the word that was executed last in this episode, for experts; None at its beginning.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 4}  # noqa: RUF012 (as gymnasium has it)

    def __init__(
        self,
        task: str = "babyai/GoToLocal",
        horizon: int | None = None,
        cameras: bool = True,
        render_mode: str | None = None,
    ) -> None:
        """Creates the environment.

        Args:
            task: one of `TASKS`.
            horizon: steps after which an episode is truncated, if MiniGrid's own limit for the mission is not below
                it; None for that limit alone.
            cameras: whether observations hold images.
            render_mode: None, or "rgb_array" for the whole map from `render`.

        Raises:
            UnknownEnv: the task is unknown.
            EnvError: MiniGrid is not installed, `horizon` is not positive or `render_mode` is unknown.
        """
        if task not in TASKS:
            raise UnknownEnv(task, TASKS)
        require_settings(horizon, render_mode)
        SIMULATOR.require()
        self.task, self.horizon, self.cameras, self.render_mode = task, horizon, cameras, render_mode
        self.embodiment = grid_agent()
        self.action_space = action_box(self.embodiment.action.dimensions)
        self.observation_space = observation_space(self.embodiment, cameras, spaces.Box(0.0, 3.0, (1,), np.float32))
        self._grid: Any = None
        self._seen: dict[str, Any] = {}
        self.last_word: int | None = None
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
        if self._grid is None:
            self._grid = _start(self.task)
        used = int(self.np_random.integers(2**31)) if seed is None else seed
        with _quiet():
            self._seen, _ = self._grid.reset(seed=used)
        self._steps, self.last_word = 0, None
        return self._observe(), {"success": False}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Executes one word.

        Args:
            action: float32 [1], the place of the word.

        Returns:
            observation, reward (1.0 on success, else 0.0), terminated, truncated, info with "success".

        Raises:
            InvalidAction: the shape is wrong, or the number is not finite or outside the limits.
        """
        command = checked_action(action, self.embodiment.action.dimensions)
        self.last_word = round(float(command[0]))
        self._seen, reward, terminated, truncated, _ = self.grid.step(self.last_word)
        self._steps += 1
        success = bool(terminated and reward > 0)
        ended = bool(truncated) or (self.horizon is not None and self._steps >= self.horizon)
        return self._observe(), float(success), bool(terminated), ended, {"success": success}

    def render(self) -> NDArray[np.uint8] | None:
        """The whole map, uint8 [height, width, 3], with the cells that the agent sees marked; None without a mode."""
        if self.render_mode is None:
            return None
        picture: NDArray[np.uint8] = self.grid.get_frame(highlight=True, tile_size=TILE)
        return picture

    @property
    def grid(self) -> Any:
        """MiniGrid's own environment, privileged information for experts, not for policies.

        Raises:
            EnvError: the environment was not reset.
        """
        if self._grid is None:
            raise EnvError("the environment is not running; call reset() first")
        return self._grid

    def _observe(self) -> Observation:
        observation: Observation = {}
        for camera in self.embodiment.cameras if self.cameras else ():
            picture = self.grid.get_frame(highlight=False, tile_size=TILE, agent_pov=True)
            observation[camera.name] = np.ascontiguousarray(picture)
        observation["state"] = np.array([self._seen["direction"]], np.float32)
        observation["instruction"] = str(self._seen["mission"])
        return observation


def _start(task: str) -> Any:
    """MiniGrid's own environment of a task."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    importlib.import_module("minigrid")  # registers its environments
    with _quiet():
        return gymnasium.make(minigrid_id(task)).unwrapped


def _quiet() -> contextlib.AbstractContextManager[Any]:
    """Drops what MiniGrid prints when it draws a mission again."""
    return contextlib.redirect_stdout(io.StringIO())
