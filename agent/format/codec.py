"""ActionCodec: a total and monotone map between robot actions, levels (bin indices) and tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ActionError
from embodio.agent.format.grammar import Spellings
from embodio.envs.embodiment import ActionSpec
from embodio.model.tokens.statistics import Normaliser
from embodio.model.tokens.vocabulary import Vocabulary

NUM_VALUE_BINS = 1000
_TRUNCATED = 1e-3  # of a bin: a decoded level that was rounded to float32 keeps its level

Ints = npt.NDArray[np.int64]


class ActionCodec:
    """Maps an action of A numbers to A levels (bin indices) and back, and gives the tokens of each level.

    Every continuous dimension is divided into `bins` evenly spaced levels, both ends included, and written with the
    vocabulary's value tokens (paper, section B.1: one set of 1000 tokens for every continuous value). A binary
    dimension, such as a gripper command, has two levels and two legal tokens. With an odd number of bins the middle
    of the range, which is "do not move" for delta control, is a level of its own. A dimension of words has one level
    for each word, spelled as plain text (paper, section B.1: navigation).

    The codec is
      * exact: `decode(encode(a))` differs from `a` by at most half a bin, for `a` inside the range;
      * monotone: a larger number never gets the token of a smaller value;
      * total: every sequence of legal tokens decodes to finite numbers inside the embodiment's limits.

    Args:
        action: what the robot's controller expects: names, limits, and which dimensions are binary or words.
        normaliser: maps actions [..., A] to [0, 1] and back (kind "limits" is the embodiment's own range).
        vocabulary: gives the ids of the 1000 value tokens, and the pieces of words.
        bins: number of levels of a continuous dimension, 2 to 1000.
        rounding: "nearest", or "trunc" for the level below, as the released weights were trained; an action then
            differs from its decoded level by up to one bin.
        denominator: 999 decodes the highest level as the upper end of the range; 1000, for 1000 bins, leaves it one bin
            below, as the reference reads VIMA's plans.

    Raises:
        ActionError: if `bins` is out of range, or the tokens of one word are a prefix of another's.
    """

    def __init__(
        self,
        action: ActionSpec,
        normaliser: Normaliser,
        vocabulary: Vocabulary,
        bins: int = 201,
        rounding: str = "nearest",
        denominator: int = 999,
    ) -> None:
        if not 2 <= bins <= NUM_VALUE_BINS:
            raise ActionError(f"bins: got {bins}, but a dimension can have 2 to {NUM_VALUE_BINS} levels")
        self.action = action
        self.bins = bins
        self._normaliser = normaliser
        self._low = np.array([d.low for d in action.dimensions], dtype=np.float64)
        self._high = np.array([d.high for d in action.dimensions], dtype=np.float64)
        self._words = np.array([d.kind == "word" for d in action.dimensions])
        self._discrete = np.array([d.kind != "continuous" for d in action.dimensions])
        value_ids = np.asarray(vocabulary.value_ids, dtype=np.int64)
        spaced = np.rint(np.arange(bins) * ((NUM_VALUE_BINS - 1) / (bins - 1))).astype(np.int64)
        self.spellings: tuple[Ints | Spellings, ...] = tuple(
            tuple(tuple(vocabulary.encode(word)) for word in d.words)
            if d.words
            else value_ids[[0, -1] if d.kind == "binary" else spaced]
            for d in action.dimensions
        )
        """For each dimension the tokens of its levels from low to high: int64 [n], or the tokens of each of n words."""
        self._last = np.array([len(spelled) - 1 for spelled in self.spellings])
        self._scale = self._last + np.where(self._discrete, 0, int(denominator == NUM_VALUE_BINS))
        self._rounded = np.where(self._discrete, 0.5, _TRUNCATED if rounding == "trunc" else 0.5)
        self._level_of = [
            {int(token): level for level, token in enumerate(ids)} if isinstance(ids, np.ndarray) else {}
            for ids in self.spellings
        ]

    @property
    def size(self) -> int:
        """A, the numbers of one action."""
        return len(self.spellings)

    @property
    def legal_ids(self) -> tuple[Ints, ...]:
        """For each of the A tokens the legal ids, ordered from the lowest value to the highest.

        Raises:
            ActionError: if a dimension is written in words.
        """
        found = [ids for ids in self.spellings if isinstance(ids, np.ndarray)]
        if len(found) < self.size:
            raise ActionError("action tokens: words have no single tokens; use PolicyFormat.write and actions")
        return tuple(found)

    @property
    def resolution(self) -> npt.NDArray[np.float64]:
        """The distance between neighbouring levels [A], in the units of each dimension."""
        ends = self._denormalise(np.stack([np.zeros(self.size), np.ones(self.size)]))
        return np.asarray((ends[1] - ends[0]) / self._scale)

    def levels(self, actions: npt.ArrayLike) -> Ints:
        """Actions [..., A] in the embodiment's units -> levels int64 [..., A]; values out of range are clipped.

        Raises:
            ActionError: if the last axis is not A, a number is not finite, or a word index is out of range.
        """
        values = np.asarray(actions, dtype=np.float64)
        if values.ndim == 0 or values.shape[-1] != self.size:
            raise ActionError(f"action: expected {self.size} numbers in the last axis, got shape {values.shape}")
        rows = values.reshape(-1, self.size)
        self._refuse(~np.isfinite(rows).all(axis=0), "is not finite; repair or filter these steps")
        no_word = (rows != np.rint(rows)) | (rows < self._low) | (rows > self._high)
        self._refuse(no_word.any(axis=0) & self._words, "is the place of none of its words")
        unit = np.clip(self._normalise(values), 0.0, 1.0)
        return np.minimum(np.floor(unit * self._scale + self._rounded), self._last).astype(np.int64)

    def units(self, actions: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The levels of actions [..., A] scaled to [0, 1], lowest to highest; raises as `levels`."""
        return np.asarray(self.levels(actions) / self._last)

    def from_levels(self, levels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Levels int [..., A] -> actions float32 [..., A], inside the embodiment's limits.

        Raises:
            ActionError: if the last axis is not A, or a level is out of range.
        """
        chosen = np.asarray(levels)
        if chosen.ndim == 0 or chosen.shape[-1] != self.size or chosen.dtype.kind not in "iu":
            raise ActionError(f"levels: expected integers [..., {self.size}], got {chosen.dtype} {chosen.shape}")
        wrong = (chosen < 0) | (chosen > self._last)
        self._refuse(wrong.reshape(-1, self.size).any(axis=0), "has no such level")
        values = np.clip(self._denormalise(chosen / self._scale), self._low, self._high)
        values = np.where(self._words, np.rint(values), values)
        return inside_limits(values.astype(np.float32), self._low, self._high)

    def encode(self, actions: npt.ArrayLike) -> Ints:
        """Actions [..., A] -> token ids [..., A], for robots without words; raises as `levels` and `legal_ids` do."""
        legal, levels = self.legal_ids, self.levels(actions)
        return np.stack([ids[levels[..., i]] for i, ids in enumerate(legal)], axis=-1)

    def decode(self, ids: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Token ids [..., A] -> actions float32 [..., A], inside the embodiment's limits, for robots without words.

        Raises:
            ActionError: if the last axis is not A, or an id is not legal for its dimension.
        """
        tokens = np.asarray(ids)
        if tokens.ndim == 0 or tokens.shape[-1] != self.size or tokens.dtype.kind not in "iu":
            raise ActionError(f"action tokens: expected integers [..., {self.size}], got {tokens.dtype} {tokens.shape}")
        levels = [
            [self._level(i, token) for i, token in enumerate(row)] for row in tokens.reshape(-1, self.size).tolist()
        ]
        return self.from_levels(np.array(levels, dtype=np.int64).reshape(tokens.shape))

    def _refuse(self, dimensions: npt.NDArray[np.bool_], why: str) -> None:
        if dimensions.any():
            names = [d.name for d, is_bad in zip(self.action.dimensions, dimensions, strict=True) if is_bad]
            raise ActionError(f"action: {', '.join(names)} {why}")

    def _level(self, dimension: int, token: int) -> int:
        level = self._level_of[dimension].get(token)
        if level is None:
            name = self.action.dimensions[dimension].name
            raise ActionError(
                f"action tokens: id {token} is not a value of {name!r}; decode with the codec's legal_ids"
            )
        return level

    def _normalise(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        limits = (values - self._low) / (self._high - self._low)
        return np.where(self._discrete, limits, self._normaliser.normalise(values))

    def _denormalise(self, unit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        limits = self._low + unit * (self._high - self._low)
        return np.where(self._discrete, limits, self._normaliser.denormalise(unit))


def inside_limits(
    values: npt.NDArray[np.float32], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Moves values [..., A] that rounding to float32 carried past a limit [A] to the nearest float32 inside it."""
    values = np.where(values > high, np.nextafter(values, np.float32(-np.inf)), values)
    return np.where(values < low, np.nextafter(values, np.float32(np.inf)), values).astype(np.float32)
