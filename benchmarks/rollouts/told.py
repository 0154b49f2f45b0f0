"""Policies that are told another instruction than the environment's: by a voice, or another one altogether."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.tasks.parts.spoken import SpokenInstructions
from embodio.envs import Policy
from embodio.model.example import Waveform
from embodio.model.processing.audio_features import SAMPLE_RATE


class ToldAloud:
    """Gives the policy one of the sounds that mean the instruction, in place of its words.

    Args:
        policy: is reset with (samples, rate).
        spoken: the sounds.
        number: of the episode; it says which of the sounds is heard.

    Attributes:
        number: as given; callers count it up.
        heard: the sound of the episode, float32 [samples] at 16 kHz; None before the first one.
    """

    def __init__(self, policy: Policy, spoken: SpokenInstructions, number: int = 0) -> None:
        self._policy, self._spoken = policy, spoken
        self.number = number
        self.heard: Waveform | None = None

    def reset(self, instruction: Any = None) -> None:
        """Starts an episode.

        Raises:
            BenchmarkError: the instruction is not a text.
            FeatureError: nothing that is said means it.
        """
        if not isinstance(instruction, str):
            raise BenchmarkError(f"spoken: the environment's instruction is not a text but {instruction!r:.80}")
        self.heard = self._spoken.said(instruction, self.number, None)
        sound: Any = (self.heard, SAMPLE_RATE)
        self._policy.reset(instruction=sound)

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """The policy's action, float32 [A]."""
        return self._policy.act(observation)


class ToldOtherwise:
    """Gives the policy one instruction in every episode, whatever the environment's is.

    Args:
        policy: what acts.
        instruction: what it is told.
    """

    def __init__(self, policy: Policy, instruction: str) -> None:
        self._policy, self._instruction = policy, instruction

    def reset(self, instruction: Any = None) -> None:
        """Starts an episode; the environment's instruction is ignored."""
        self._policy.reset(instruction=self._instruction)

    def act(self, observation: Any) -> npt.NDArray[np.float32]:
        """The policy's action, float32 [A]."""
        return self._policy.act(observation)
