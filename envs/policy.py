"""The protocol of policies: anything that acts in an environment."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Policy(Protocol):
    """A policy: an agent, a scripted expert, or a client of a remote agent."""

    def reset(self, instruction: str | None = None) -> None:
        """Begin an episode with this instruction."""

    def act(self, observation: Any) -> NDArray[np.float32]:
        """The next action, float32 [A], for an observation of the environment."""
