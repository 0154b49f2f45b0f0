"""TaskFormat: what tasks need of a policy format, so that all of them write a robot in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from embodio.envs.embodiment import Embodiment
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary


class Levels(Protocol):
    """Cuts actions into levels; `embodio.agent.format.codec.ActionCodec` is one."""

    def units(self, actions: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where the levels of actions [..., A] lie between the lowest (0) and the highest (1)."""


class TaskFormat(Protocol):
    """How a robot is shown and written; `embodio.agent.PolicyFormat` is one."""

    embodiment: Embodiment
    statistics: DatasetStatistics
    vocabulary: Vocabulary

    @property
    def codec(self) -> Levels:
        """Cuts actions into levels."""

    def write(self, actions: npt.ArrayLike) -> list[int]:
        """Actions [n, A] as token ids, as the policy answers them."""

    def answer_length(self, actions: int | None = None) -> int:
        """Most tokens of that many actions."""

    @property
    def prompt_images(self) -> int:
        """How many images an instruction may hold."""

    @property
    def prompt_sounds(self) -> int:
        """How many segments the sounds of an instruction may have."""

    def read_instruction(self, given: Any) -> str | Sequence[Any]:
        """Words, images and sounds with their rates -> words, uint8 [H, W, 3] and float32 [samples] at 16 kHz."""

    @property
    def camera_names(self) -> tuple[str, ...]:
        """The cameras that are read."""

    def image(self, observation: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
        """The cameras of one moment as one picture, uint8 [H, W, 3]."""
