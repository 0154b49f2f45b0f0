"""Grammar: what an answer may look like, position by position, compiled from the embodiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ActionError

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Grammar:
    """The ids that may stand at each position of an answer.

    A position with one legal id is forced: it is filled in without asking the network, which reads it together with
    the next token that it has to choose.

    Attributes:
        legal: for each of the T positions its legal ids, each int64 [n], n >= 1.
    """

    legal: tuple[Ids, ...]

    def __post_init__(self) -> None:
        if not self.legal:
            raise ActionError("grammar: an answer needs at least one position")
        for position, ids in enumerate(self.legal):
            if ids.ndim != 1 or not len(ids) or ids.dtype != np.int64:
                raise ActionError(f"grammar: position {position} needs int64 [n] with at least one id")

    @classmethod
    def of_chunk(cls, action: Sequence[Ids], actions: int, separator: Sequence[int] = ()) -> Grammar:
        """Some actions one after the other, with forced tokens between them.

        Args:
            action: legal ids of the A tokens of one action, see `ActionCodec.legal_ids`.
            actions: how many actions.
            separator: ids that stand between two actions.
        """
        between = [np.array([token], dtype=np.int64) for token in separator]
        positions: list[Ids] = []
        for index in range(actions):
            positions += [*(between if index else []), *action]
        return cls(tuple(positions))

    @property
    def length(self) -> int:
        """T, tokens of an answer."""
        return len(self.legal)

    @property
    def choices(self) -> tuple[int, ...]:
        """The positions at which the network has to choose."""
        return tuple(position for position, ids in enumerate(self.legal) if len(ids) > 1)

    def accepts(self, ids: npt.ArrayLike) -> bool:
        """Says whether a token sequence [T] is one that the grammar allows."""
        tokens = np.asarray(ids)
        return tokens.shape == (self.length,) and all(
            token in legal for token, legal in zip(tokens.tolist(), self.legal, strict=True)
        )
