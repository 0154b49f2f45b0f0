"""GridBot: BabyAI's own bot as an expert, which knows the whole mission and remembers the map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodio.envs.errors import EnvError, SimulatorError
from embodio.envs.minigrid.env import MinigridEnv
from embodio.envs.minigrid.tasks import BOT_FAILS


class GridBot:
    """Takes every action from BabyAI's bot, and plans again if another action was executed than the one it gave."""

    def __init__(self, env: MinigridEnv) -> None:
        """Raises EnvError for a level that the bot cannot solve."""
        if env.task in BOT_FAILS:
            raise EnvError(f"{env.task}: BabyAI's bot cannot solve this level; take another, see embodio-envs")
        self._env = env
        self._bot: Any = None

    def reset(self, instruction: str | None = None) -> None:
        """Begins an episode; the instruction is ignored, as the bot reads the mission itself."""
        from minigrid.utils.baby_ai_bot import BabyAIBot

        self._bot = BabyAIBot(self._env.grid)

    def act(self, observation: Any) -> NDArray[np.float32]:
        """The next action, float32 [1].

        Raises:
            SimulatorError: the bot finds no plan.
        """
        from minigrid.utils.baby_ai_bot import DisappearedBoxError

        try:
            word = self._bot.replan(self._env.last_word)
        except (AssertionError, AttributeError, DisappearedBoxError, IndexError, TypeError, ValueError) as error:
            raise SimulatorError(
                f"the bot finds no plan ({type(error).__name__}: {error}); leave this seed out"
            ) from error
        return np.array([int(word)], np.float32)
