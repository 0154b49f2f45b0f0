"""ActionCodec: robot actions to value tokens and back, total and monotone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ActionError
from embodio.envs.embodiment import ActionSpec
from embodio.model.statistics import Normaliser
from embodio.model.vocabulary import Vocabulary

NUM_VALUE_BINS = 1000


class ActionCodec:
    """Turns one action of A numbers into A value tokens and back.

    Every continuous dimension is cut into `bins` evenly spaced levels, both ends included, and written with the
    vocabulary's value tokens (paper, section B.1: one set of 1000 tokens for every continuous value). A binary
    dimension, such as a gripper command, has two levels and two legal tokens. With an odd number of bins the middle
    of the range, which is "do not move" for delta control, is a level of its own.

    The codec is
      * exact: `decode(encode(a))` differs from `a` by at most half a level, for `a` inside the range;
      * monotone: a larger number never gets a token of a smaller value;
      * total: every sequence of legal tokens decodes to finite numbers inside the embodiment's limits.

    Args:
        action: what the robot's controller expects; gives names, limits and which dimensions are binary.
        normaliser: maps actions [..., A] to [0, 1] and back (kind "limits" is the embodiment's own range).
        vocabulary: gives the ids of the 1000 value tokens.
        bins: levels of a continuous dimension, 2 to 1000.

    Raises:
        ActionError: if `bins` is out of range.
    """

    def __init__(self, action: ActionSpec, normaliser: Normaliser, vocabulary: Vocabulary, bins: int = 201) -> None:
        if not 2 <= bins <= NUM_VALUE_BINS:
            raise ActionError(f"bins: got {bins}, but a dimension can have 2 to {NUM_VALUE_BINS} levels")
        self.action = action
        self.bins = bins
        self._normaliser = normaliser
        self._low = np.array([d.low for d in action.dimensions], dtype=np.float64)
        self._high = np.array([d.high for d in action.dimensions], dtype=np.float64)
        self._binary = np.array([d.kind == "binary" for d in action.dimensions])
        value_ids = np.asarray(vocabulary.value_ids, dtype=np.int64)
        spaced = np.rint(np.arange(bins) * ((NUM_VALUE_BINS - 1) / (bins - 1))).astype(np.int64)
        continuous, binary = value_ids[spaced], value_ids[[0, -1]]
        self._legal = tuple(binary if is_binary else continuous for is_binary in self._binary)
        self._level_of = [{int(token): level for level, token in enumerate(ids)} for ids in self._legal]

    @property
    def size(self) -> int:
        """A, the numbers of one action, which is also the number of its tokens."""
        return len(self._legal)

    @property
    def legal_ids(self) -> tuple[npt.NDArray[np.int64], ...]:
        """For each of the A tokens the ids that may stand there, ordered from the lowest value to the highest."""
        return self._legal

    @property
    def resolution(self) -> npt.NDArray[np.float64]:
        """[A] distance between neighbouring levels, in the units of each dimension."""
        ends = self._denormalise(np.stack([np.zeros(self.size), np.ones(self.size)]))
        levels = np.where(self._binary, 2, self.bins)
        return np.asarray((ends[1] - ends[0]) / (levels - 1))

    def encode(self, actions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Actions [..., A] in the embodiment's units -> token ids [..., A]. Numbers beyond the range go to its ends.

        Raises:
            ActionError: if the last axis is not A, or a number is not finite.
        """
        values = np.asarray(actions, dtype=np.float64)
        if values.ndim == 0 or values.shape[-1] != self.size:
            raise ActionError(f"action: expected {self.size} numbers in the last axis, got shape {values.shape}")
        bad = ~np.isfinite(values).reshape(-1, self.size).all(axis=0)
        if bad.any():
            names = [d.name for d, is_bad in zip(self.action.dimensions, bad, strict=True) if is_bad]
            raise ActionError(f"action: {', '.join(names)} is not finite; repair or filter these steps")
        unit = np.clip(self._normalise(values), 0.0, 1.0)
        ids = np.empty(values.shape, dtype=np.int64)
        for i, legal in enumerate(self._legal):
            ids[..., i] = legal[np.floor(unit[..., i] * (len(legal) - 1) + 0.5).astype(np.int64)]
        return ids

    def decode(self, ids: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Token ids [..., A] -> actions float32 [..., A], inside the embodiment's limits.

        Raises:
            ActionError: if the last axis is not A, or an id is not legal for its dimension.
        """
        tokens = np.asarray(ids)
        if tokens.ndim == 0 or tokens.shape[-1] != self.size or tokens.dtype.kind not in "iu":
            raise ActionError(f"action tokens: expected integers [..., {self.size}], got {tokens.dtype} {tokens.shape}")
        unit = np.empty(tokens.shape, dtype=np.float64)
        for i, legal in enumerate(self._legal):
            levels = [self._level(i, int(token)) for token in tokens[..., i].reshape(-1)]
            unit[..., i] = (np.array(levels, dtype=np.float64) / (len(legal) - 1)).reshape(tokens.shape[:-1])
        values = np.clip(self._denormalise(unit), self._low, self._high).astype(np.float32)
        return _inside(values, self._low, self._high)

    def _level(self, dimension: int, token: int) -> int:
        level = self._level_of[dimension].get(token)
        if level is None:
            name = self.action.dimensions[dimension].name
            raise ActionError(f"action tokens: id {token} is no value of {name!r}; decode with the codec's legal_ids")
        return level

    def _normalise(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        limits = (values - self._low) / (self._high - self._low)
        return np.where(self._binary, limits, self._normaliser.normalise(values))

    def _denormalise(self, unit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        limits = self._low + unit * (self._high - self._low)
        return np.where(self._binary, limits, self._normaliser.denormalise(unit))


def _inside(
    values: npt.NDArray[np.float32], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Moves numbers that rounding to float32 carried past a limit to the nearest float32 inside it."""
    values = np.where(values > high, np.nextafter(values, np.float32(-np.inf)), values)
    return np.where(values < low, np.nextafter(values, np.float32(np.inf)), values).astype(np.float32)
