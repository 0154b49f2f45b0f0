"""ShortestPath: an expert of point navigation, which knows the map."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.pointnav.env import STEPS, Cell, PointNavEnv
from embodio.envs.pointnav.robot import WORDS

_Pose = tuple[Cell, int]


class ShortestPath:
    """Takes the first word of a shortest sequence of words to the goal, and stops there."""

    def __init__(self, env: PointNavEnv) -> None:
        self._env = env

    def reset(self, instruction: str | None = None) -> None:
        """Begins an episode; nothing is remembered, as every step looks at the map."""

    def act(self, observation: Any) -> NDArray[np.float32]:
        """The next action, float32 [1]."""
        start: _Pose = (self._env.cell, int(self._env.grid.agent_dir))
        first: dict[_Pose, str] = {start: "stop"}
        waiting = deque([start])
        while waiting and waiting[0][0] != self._env.goal:
            pose = waiting.popleft()
            for word, after in self._moves(pose):
                if after not in first:
                    first[after] = word if pose == start else first[pose]
                    waiting.append(after)
        return np.array([WORDS.index(first[waiting[0]])], np.float32)

    def _moves(self, pose: _Pose) -> list[tuple[str, _Pose]]:
        """The words that change a pose, and the poses after them."""
        (x, z), direction = pose
        dx, dz = STEPS[direction]
        turns = [("left", (direction - 1) % 4), ("right", (direction + 1) % 4)]
        found = [(word, ((x, z), turned)) for word, turned in turns]
        ahead = (x + dx, z + dz)
        return [("forward", (ahead, direction)), *found] if self._env.is_free(ahead) else found
