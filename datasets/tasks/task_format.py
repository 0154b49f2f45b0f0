"""TaskFormat: what tasks need of a policy format, so that all of them write a robot in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from embodio.envs.embodiment import Embodiment
from embodio.model.statistics import DatasetStatistics
from embodio.model.vocabulary import Vocabulary


class ActionWriter(Protocol):
    """Turns actions into tokens; `embodio.agent.codec.ActionCodec` is one."""

    @property
    def size(self) -> int:
        """Tokens of one action."""

    def encode(self, actions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Actions [..., A] -> token ids [..., A]."""


class TaskFormat(Protocol):
    """How a robot is shown and written; `embodio.agent.PolicyFormat` is one."""

    embodiment: Embodiment
    statistics: DatasetStatistics
    vocabulary: Vocabulary
    separator_ids: tuple[int, ...]

    @property
    def codec(self) -> ActionWriter:
        """Writes actions."""

    @property
    def camera_names(self) -> tuple[str, ...]:
        """The cameras that are read."""

    def image(self, observation: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
        """The cameras of one moment as one picture, uint8 [H, W, 3]."""
