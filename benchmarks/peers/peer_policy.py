"""PeerPolicy: a trained policy of LeRobot that acts in our rollouts, from a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.benchmarks.errors import PeerError
from embodio.benchmarks.peers.lerobot_side import ABOUT
from embodio.benchmarks.peers.program import PeerProgram, packed
from embodio.envs.embodiment import Embodiment
from embodio.model.weights.checksums import sha256_of

WEIGHTS = "model.safetensors"


def is_peer(folder: str | Path) -> bool:
    """Whether a folder holds a policy of LeRobot that was trained for a comparison."""
    return (Path(folder) / ABOUT).is_file()


class PeerPolicy:
    """A policy with `reset` and `act`. It knows one task and reads no instruction; its actions are clipped.

    Attributes:
        info: the library, what it was trained on and for how long, and the sha256 of its weights.

    Args:
        folder: of the policy.
        embodiment: the robot of the environment, which has the limits.

    Raises:
        PeerError: the folder is damaged, or LeRobot's side does not start.
    """

    def __init__(self, folder: Path, embodiment: Embodiment) -> None:
        try:
            self.info: dict[str, Any] = json.loads((folder / ABOUT).read_bytes())
            self._names = [*self.info["cameras"], "state"]
            self.info["sha256"] = {WEIGHTS: sha256_of(folder / WEIGHTS)}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PeerError(f"{folder} is damaged ({error!r}); delete it to train that policy again") from error
        dimensions = embodiment.action.dimensions
        self._low, self._high = ([getattr(one, end) for one in dimensions] for end in ("low", "high"))
        self._program = PeerProgram("act", str(folder.absolute()))
        self._program.answer()  # it is loaded

    def reset(self, instruction: Any = None) -> None:
        """Starts an episode."""
        self._program.send(packed("reset", {}))
        self._program.answer()

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """The next action, float32 [A]."""
        self._program.send(packed("act", {name: np.asarray(observation[name]) for name in self._names}))
        action = np.asarray(self._program.answer()["action"], np.float32)
        clipped: npt.NDArray[np.float32] = np.clip(action, self._low, self._high).astype(np.float32)
        return clipped

    def memory(self) -> float:
        """The largest resident size of its process so far, in MB (10^6 bytes)."""
        self._program.send(packed("memory", {}))
        return float(self._program.answer()["megabytes"])

    def close(self) -> None:
        """Ends its process."""
        self._program.close()
