"""Answer formats as decoding constraints: locations with names, body parts in order, one of several answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import is_within
from embodio.model.generation import Constraint, ScoreRule, allow, prefer_range
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.locations.labelled import BODY_PARTS
from embodio.model.tokens.vocabulary import EOS_ID, UNK_ID, VALUE_BINS, Vocabulary

Legal = tuple[range, ...]
"""The legal next ids, as ranges."""

Rule = Callable[[Sequence[int]], Legal]
"""The tokens of one row so far -> the legal next ids."""

BOX_VALUES = 4


def by_row(rules: Sequence[Rule], size: int) -> Constraint:
    """Combines rules, one for each example of a batch, into a constraint.

    Args:
        rules: one for each example.
        size: number of ids of the vocabulary.
    """

    def legal(tokens: Tensor, rows: Tensor) -> Tensor:
        mask = torch.zeros(len(rows), size, dtype=torch.bool)
        for line, row, written in zip(mask, rows.tolist(), tokens.tolist(), strict=True):
            for ids in rules[row](written):
                line[ids.start : ids.stop] = True
        return mask.to(tokens.device)

    return legal


@dataclass(frozen=True)
class ItemsRule:
    """A list of locations, each some values and a name, then the end; items start only if they fit into `longest`.

    Attributes:
        vocabulary: vocabulary of the ids.
        longest: largest number of tokens of the answer, including the end.
        names: token ids of the names that may follow a location; None for any text, empty for no names.
        values: number of values of one location, 4 for boxes.
        ordered: whether the second half of the values is not smaller than the first, as in boxes.
        at_least_one: whether the answer must not be empty.
    """

    vocabulary: Vocabulary
    longest: int
    names: tuple[tuple[int, ...], ...] | None = None
    values: int = BOX_VALUES
    ordered: bool = True
    at_least_one: bool = False

    def __post_init__(self) -> None:
        if self.longest < self._item + 1:
            raise TaskError(f"max_tokens: {self.longest} tokens cannot hold one location; it takes {self._item + 1}")

    def __call__(self, written: Sequence[int]) -> Legal:
        """The legal next ids."""
        if not written:
            return (self._value_ids(()),) if self.at_least_one else (self._value_ids(()), _one(EOS_ID))
        values, name = self._last(written)
        if len(values) < self.values:
            return (self._value_ids(values),)
        left = self.longest - len(written)
        legal: list[range] = []
        if self.names is None and left > 1:
            legal = [range(UNK_ID + 1, self.vocabulary.text_size)]
        for full in self.names or ():
            if len(full) > len(name) and full[: len(name)] == name:
                legal.append(_one(full[len(name)]))
        if self._is_complete(name):
            legal.append(_one(EOS_ID))
            if left > self._item:
                legal.append(self._value_ids(()))
        return tuple(legal)

    def _is_complete(self, name: tuple[int, ...]) -> bool:
        """Whether a location may end with this name."""
        if self.names is None:
            return bool(name)
        return name in self.names or not self.names

    @property
    def _item(self) -> int:
        """Number of tokens of a location with its name."""
        named = 1 if self.names is None else max((len(name) for name in self.names), default=0)
        return self.values + named

    def _last(self, written: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The values of the last location and the tokens after them."""
        end = len(written)
        while end and not self._is_value(written[end - 1]):
            end -= 1
        start = end
        while start and self._is_value(written[start - 1]):
            start -= 1
        first = start + (max(end - start - 1, 0) // self.values) * self.values
        return tuple(written[first:end]), tuple(written[end:])

    def _is_value(self, token: int) -> bool:
        return 0 <= token - self.vocabulary.text_size < VALUE_BINS

    def _value_ids(self, values: Sequence[int]) -> range:
        """Legal ids of the next value of a location; ids fall as values rise."""
        first, half = self.vocabulary.text_size, self.values // 2
        highest = values[len(values) - half] if self.ordered and len(values) >= half else first + VALUE_BINS - 1
        return range(first, highest + 1)


@dataclass(frozen=True)
class ChoiceRule:
    """One of several answers, then the end; the answers are token ids."""

    answers: tuple[tuple[int, ...], ...]

    def __call__(self, written: Sequence[int]) -> Legal:
        """The legal next ids."""
        so_far = tuple(written)
        matching = [answer for answer in self.answers if answer[: len(so_far)] == so_far]
        return tuple(_one(answer[len(so_far)] if len(answer) > len(so_far) else EOS_ID) for answer in matching)

    @property
    def longest(self) -> int:
        """Number of tokens of the longest answer, including the end."""
        return max(map(len, self.answers)) + 1


def _one(token: int) -> range:
    return range(token, token + 1)


def plain_text(vocabulary: Vocabulary) -> Constraint:
    """Text pieces and the end, no special tokens."""
    return allow([EOS_ID, *range(UNK_ID + 1, vocabulary.text_size)])


def values_steps(vocabulary: Vocabulary, count: int) -> list[Iterable[int]]:
    """For `allow_by_step`: `count` values and the end."""
    return [vocabulary.value_ids.tolist()] * count + [[EOS_ID]]


def keypoint_steps(vocabulary: Vocabulary) -> list[Iterable[int]]:
    """For `allow_by_step`: two values and the name of each body part in order, and the end."""
    steps: list[Iterable[int]] = []
    for name in BODY_PARTS:
        steps += [vocabulary.value_ids.tolist()] * 2
        steps += [[token] for token in vocabulary.encode(name)]
    return [*steps, [EOS_ID]]


def location_rule(vocabulary: Vocabulary, threshold: float, form: Constraint | None) -> ScoreRule:
    """The rule that continues locations: if values are likely enough, only they are legal (paper, appendix E.3).

    Args:
        vocabulary: vocabulary of the ids.
        threshold: total probability of all values above which nothing else is legal.
        form: the constraint on the answer; where it allows no value, such as within a name, the rule does not apply.

    Raises:
        TaskError: the threshold is outside 0..1.
    """
    if not is_within(threshold, 0.0, 1.0):
        raise TaskError(f"threshold is {threshold!r:.50}; it is a probability in [0, 1], and 1 turns the rule off")
    first, end = vocabulary.text_size, vocabulary.text_size + VALUE_BINS
    prefer = prefer_range(first, end, threshold)

    def rule(scores: Tensor, tokens: Tensor, rows: Tensor) -> Tensor:
        legal = None if form is None else form(tokens, rows)
        preferred = prefer(scores, tokens, rows)
        if legal is None:
            return preferred
        return torch.where(legal[:, first:end].any(dim=-1, keepdim=True), preferred, scores)

    return rule
