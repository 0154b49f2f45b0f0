"""PointNavEnv: point navigation in a map of MiniGrid."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from embodio.envs.actions import action_box, checked_action
from embodio.envs.errors import UnknownEnv
from embodio.envs.minigrid.env import MinigridEnv, Observation
from embodio.envs.observation_space import observation_space
from embodio.envs.pointnav.robot import WORDS, pointnav_agent

MAPS = (
    *("Empty-8x8", "Empty-16x16", "FourRooms"),
    *("SimpleCrossingS9N1", "SimpleCrossingS9N2", "SimpleCrossingS9N3", "SimpleCrossingS11N5"),
)
"""Maps of MiniGrid in which only walls are in the way."""
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""The cell ahead, by MiniGrid's direction: along x, then clockwise."""
INSTRUCTION = "Go to the goal and stop there."
_HORIZON = 200
_NUMBERS = {"left": 0, "right": 1, "forward": 2}  # MiniGrid's
_QUARTER = 90.0  # degrees

Cell = tuple[int, int]


class PointNavEnv(MinigridEnv):
    """One map with a goal that is given by its coordinates and cannot be seen.

    An observation is a dict of
        rgb: RGB image of the 7 by 7 cells in front of the agent, uint8 [112, 112, 3] (absent with `cameras=False`);
        state: float32 [7], see `pointnav_agent`; a cell counts as one metre, heights are 0;
        instruction: the same text in every episode.
    An action is float32 [1], the place of a word in `WORDS`. "forward" moves one cell, "left" and "right" turn by 90
    degrees. "stop" ends the episode: in success (`info["success"]`) on the goal, elsewhere in failure. The goal is a
    reachable cell, drawn with the seed, as is the map. `info["path"]` is the length of the way so far and
    `info["shortest"]` that of the shortest one from the start to the goal, in metres.
    """

    def __init__(
        self,
        task: str = "FourRooms",
        horizon: int | None = None,
        cameras: bool = True,
        render_mode: str | None = None,
    ) -> None:
        """Creates the environment.

        Args:
            task: one of `MAPS`.
            horizon: steps after which an episode is truncated; None for 200.
            cameras: whether observations hold images.
            render_mode: None, or "rgb_array" for the whole map from `render`.

        Raises:
            UnknownEnv: there is no such map.
            EnvError: MiniGrid is not installed, `horizon` is not positive or `render_mode` is unknown.
        """
        if task not in MAPS:
            raise UnknownEnv(task, MAPS)
        super().__init__(f"minigrid/{task}", _HORIZON if horizon is None else horizon, cameras, render_mode)
        self.embodiment = pointnav_agent()
        self.action_space = action_box(self.embodiment.action.dimensions)
        low, high = (np.array([getattr(d, end) for d in self.embodiment.state], np.float32) for end in ("low", "high"))
        self.observation_space = observation_space(self.embodiment, cameras, spaces.Box(low, high, dtype=np.float32))
        self.goal: Cell = (0, 0)
        self._walked, self._shortest = 0, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode; arguments and results as in `MinigridEnv.reset`."""
        _, info = super().reset(seed=seed, options=options)
        cells = self.grid.grid
        for place, thing in enumerate(cells.grid):
            if thing is not None and thing.type == "goal":
                cells.grid[place] = None
        distances = self.distances()
        others = sorted(distances.keys() - {self.cell})
        self.goal = others[int(self.np_random.integers(len(others)))]
        self._walked, self._shortest = 0, distances[self.goal]
        return self._observe(), info | self._lengths()

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Executes one word.

        Args:
            action: float32 [1], the place of the word.

        Returns:
            observation, reward (1.0 on success, else 0.0), terminated, truncated, info with "success" and the lengths.

        Raises:
            InvalidAction: the shape is wrong, or the number is not finite or outside the limits.
        """
        command = checked_action(action, self.embodiment.action.dimensions)
        self.last_word = round(float(command[0]))
        word = WORDS[self.last_word]
        before = self.cell
        if word != "stop":
            self.grid.step(_NUMBERS[word])
        self._walked += self.cell != before
        self._steps += 1
        success = word == "stop" and self.cell == self.goal
        truncated = self.horizon is not None and self._steps >= self.horizon
        info = {"success": success} | self._lengths()
        return self._observe(), float(success), word == "stop", truncated, info

    @property
    def cell(self) -> Cell:
        """The cell of the agent, (x, z)."""
        x, z = self.grid.agent_pos
        return int(x), int(z)

    def is_free(self, cell: Cell) -> bool:
        """Whether the agent can stand on a cell."""
        thing = self.grid.grid.get(*cell)
        return thing is None or bool(thing.can_overlap())

    def distances(self) -> dict[Cell, int]:
        """The cells that the agent can walk to, its own included, and how many steps each is away."""
        found, waiting = {self.cell: 0}, deque([self.cell])
        while waiting:
            x, z = waiting.popleft()
            for cell in ((x + dx, z + dz) for dx, dz in STEPS):
                if cell not in found and self.is_free(cell):
                    found[cell] = found[x, z] + 1
                    waiting.append(cell)
        return found

    def _lengths(self) -> dict[str, float]:
        return {"path": float(self._walked), "shortest": float(self._shortest)}

    def _observe(self) -> Observation:
        observation = super()._observe()
        heading = _QUARTER * self.grid.agent_dir
        observation["state"] = np.array([*self.cell, 0, heading, *self.goal, 0], np.float32)
        observation["instruction"] = INSTRUCTION
        return observation
