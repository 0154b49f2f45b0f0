"""ServedPolicy: what a server asks of a policy. It loads no network, so that a server of any policy starts fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

    from embodio.agent.errors import AgentError
    from embodio.envs.embodiment import Embodiment


class ServedPolicy(Protocol):
    """A policy with many simultaneous episodes; `call`, `instruct` and `act` are called in one thread."""

    @property
    def embodiment(self) -> Embodiment:
        """The robot that it was made for."""

    @property
    def info(self) -> dict[str, Any]:
        """Where it comes from."""

    @property
    def observation_keys(self) -> list[str]:
        """What it reads of an observation."""

    def check_embodiment(self, embodiment: Embodiment) -> None:
        """Raises EmbodimentMismatch for another robot."""

    def open(self) -> Any:
        """The state of a new client."""

    def call(self, state: Any, verb: str, arguments: Mapping[str, Any]) -> Any:
        """The answer to a verb of `VERBS` other than "act"."""

    def instruct(self, state: Any, instruction: str) -> None:
        """Starts a new episode with an instruction from the page, in all rows of a client."""

    def act(self, states: Sequence[Any], observations: Sequence[Any]) -> list[np.ndarray | AgentError]:
        """The next action of each client, or its error; a fault of one must not affect the others."""
