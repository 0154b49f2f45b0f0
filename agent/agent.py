"""Agent: observation in, action out."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from embodio.agent.checkpoint import Checkpoint, load_checkpoint
from embodio.agent.constrained import decode_legal
from embodio.agent.errors import AgentError, NotReset, ObservationError
from embodio.agent.policy_format import Observation
from embodio.envs.embodiment import Embodiment
from embodio.model.collation import collate
from embodio.model.example import Example
from embodio.model.processor import Processor


class Agent:
    """A policy that plays in a gymnasium loop. History, chunks, normalisation and constrained decoding are inside.

    Example:
        >>> import gymnasium, embodio.envs
        >>> from embodio.agent import Agent
        >>> env = gymnasium.make("embodio/robosuite-lift-v0")
        >>> agent = Agent.load("lift-nano", embodiment=env.unwrapped.embodiment)
        >>> observation, info = env.reset(seed=10000)
        >>> agent.reset(instruction=observation["instruction"])
        >>> observation, reward, terminated, truncated, info = env.step(agent.act(observation))

    Args:
        checkpoint: network and policy format.
        embodiment: of the environment to act in; checked against the checkpoint's when given.
        replan: actions of a chunk that are played before the next is predicted, 1 to the chunk's length.
        device: where the network runs.

    Raises:
        EmbodimentMismatch: if the robot is not the one that the checkpoint was made for; names each field that
            differs, both values and the remedy.
        AgentError: if `replan` is out of range.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        embodiment: Embodiment | None = None,
        replan: int | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.checkpoint = checkpoint
        self.format = checkpoint.format
        config = self.format.config
        self.replan = max(1, config.chunk // 2) if replan is None else replan
        if not 1 <= self.replan <= config.chunk:
            raise AgentError(f"replan: got {replan}, but a chunk of this policy holds {config.chunk} actions")
        if embodiment is not None:
            self.check_embodiment(embodiment)
        self.model = checkpoint.model.to(device).eval()
        self.device = torch.device(device)
        self._processor = Processor(self.model.config, self.format.vocabulary)
        self._legal = self.format.legal_ids(self.replan)
        self._window: deque[dict[str, Any]] = deque(maxlen=config.window)
        self._queue: deque[npt.NDArray[np.float32]] = deque()
        self._instruction: str | None = None

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        embodiment: Embodiment | None = None,
        replan: int | None = None,
        device: str | torch.device = "cpu",
    ) -> Agent:
        """Loads a checkpoint folder, or one that ships with the package such as "lift-nano".

        Args:
            name_or_path: folder, or name.
            embodiment: of the environment to act in (`env.unwrapped.embodiment`); refused if it differs.
            replan: see the class.
            device: see the class.

        Raises:
            CheckpointError: if there is no such checkpoint or it is damaged.
            EmbodimentMismatch: if it was made for another robot.
        """
        return cls(load_checkpoint(name_or_path), embodiment, replan, device)

    @property
    def embodiment(self) -> Embodiment:
        """The robot that this agent was made for."""
        return self.format.embodiment

    @property
    def info(self) -> dict[str, Any]:
        """Where the weights come from and their sha256, for reports."""
        return {
            "folder": str(self.checkpoint.folder),
            "sha256": self.checkpoint.hashes(),
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "chunk": self.format.config.chunk,
            "replan": self.replan,
        }

    def check_embodiment(self, embodiment: Embodiment) -> None:
        """Raises EmbodimentMismatch unless `embodiment` is the robot that this agent was made for."""
        self.embodiment.require_same(
            embodiment, remedy="make the environment as the checkpoint expects it, or train a policy on this robot"
        )

    def reset(self, instruction: str | None = None) -> None:
        """Starts an episode: forgets history and planned actions.

        Args:
            instruction: what the robot shall do; None keeps the instruction of the episode before.

        Raises:
            ObservationError: if the instruction is not text.
        """
        if instruction is not None:
            if not isinstance(instruction, str):
                raise ObservationError(f"instruction: expected text, got {type(instruction).__name__}")
            self._instruction = instruction
        self._window.clear()
        self._queue.clear()

    def act(self, observation: Observation) -> npt.NDArray[np.float32]:
        """The next action, float32 [A], always finite and inside the embodiment's limits.

        Args:
            observation: of the environment: one uint8 [H, W, 3] image per camera and `state`.

        Raises:
            NotReset: if no instruction was ever given.
            ObservationError: naming the field that is missing or malformed.
        """
        if self._instruction is None:
            raise NotReset("act: there is no instruction yet; call agent.reset(instruction=...) first")
        self.format.check(observation)
        self._window.append(self._remember(observation))
        if not self._queue:
            self._queue.extend(self._plan())
        return self._queue.popleft().copy()

    def example(self) -> Example:
        """The Example that the network would be given now.

        Raises:
            NotReset: if there is no instruction, or nothing was observed since the reset.
        """
        if self._instruction is None or not self._window:
            raise NotReset("example: nothing was observed since reset; call act(observation) first")
        return self.format.example(list(self._window), self._instruction)

    def _plan(self) -> npt.NDArray[np.float32]:
        """Predicts the next `replan` actions, float32 [replan, A]."""
        batch = {key: value.to(self.device) for key, value in collate([self._processor(self.example())]).items()}
        with torch.inference_mode():
            encoded = self.model.encode(batch)
        return self.format.actions(decode_legal(self.model, encoded, self._legal))[0]

    def _remember(self, observation: Observation) -> dict[str, Any]:
        """A copy of what the policy reads: environments may write the next frame into the same arrays."""
        kept = {camera.name: np.array(observation[camera.name]) for camera in self.format.cameras}
        if "state" in observation:
            kept["state"] = np.array(observation["state"])
        return kept
