"""Hidden spans of text: the [R], [S] and [X] paradigms of UL2 (paper, section 3.3).

Some spans of a text's token ids are hidden. The encoder reads the rest with a sentinel in place of each span, the
decoder writes each sentinel and the span it replaces. [R] hides few short spans, [X] many or long ones, [S] the end
of the text, which needs no sentinel. With spans 2..4 and 6..7 hidden:

    text     10 11 12 13 14 15 16 17
    encoder  [R] 10 11 <s0> 14 15 <s1> 17
    decoder  <s0> 12 13 <s1> 16

Unified-IO 2 does not give its rates; the defaults are those published by UL2 (arXiv 2205.05131, table 1).
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from embodio.datasets.errors import DatasetError
from embodio.model.tokens.vocabulary import SENTINELS, Vocabulary

Paradigm = Literal["R", "S", "X"]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Denoiser:
    """One way to hide parts of a text.

    Attributes:
        paradigm: "R", "S" or "X", the prefix of the prompt.
        rate: share of tokens hidden; for "S", the mean share of the end.
        span: mean length of a hidden span in tokens; ignored by "S", whose span is the end.
        weight: how often it is drawn, up to a common factor.
    """

    paradigm: Paradigm
    rate: float
    span: float = 3.0
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Checks the numbers; raises DatasetError."""
        if self.paradigm not in ("R", "S", "X"):
            raise DatasetError(f"paradigm: got {self.paradigm!r}, expected R, S or X")
        if not 0.0 < self.rate < 1.0:
            raise DatasetError(f"rate: got {self.rate}, expected a share of the tokens between 0 and 1")
        if not self.span >= 1.0:
            raise DatasetError(f"span: got {self.span}, expected a mean length of at least 1 token")
        if not self.weight >= 0.0:
            raise DatasetError(f"weight: got {self.weight}, expected at least 0")


UL2: Mapping[str, Denoiser] = {
    "r_3": Denoiser("R", rate=0.15, span=3.0),
    "r_8": Denoiser("R", rate=0.15, span=8.0),
    "s": Denoiser("S", rate=0.25, weight=2.0),
    "x_3": Denoiser("X", rate=0.5, span=3.0, weight=0.5),
    "x_8": Denoiser("X", rate=0.5, span=8.0, weight=0.5),
    "x_64_few": Denoiser("X", rate=0.15, span=64.0, weight=0.5),
    "x_64": Denoiser("X", rate=0.5, span=64.0, weight=0.5),
}
"""The mixture of UL2; the three paradigms are drawn equally often."""


def choose_denoiser(denoisers: Sequence[Denoiser], generator: np.random.Generator) -> Denoiser:
    """Draws one of the denoisers by their weights; raises DatasetError if all weights are 0."""
    weights = np.array([one.weight for one in denoisers], dtype=np.float64)
    if not len(weights) or weights.sum() <= 0.0:
        raise DatasetError("denoisers: give at least one with a weight above 0")
    return denoisers[int(generator.choice(len(denoisers), p=weights / weights.sum()))]


def hidden_tokens(length: int, denoiser: Denoiser, generator: np.random.Generator, most: int = SENTINELS) -> Mask:
    """Which tokens are hidden.

    "R" and "X" hide round(rate * length) tokens, at least one and not all, in about that number divided by the mean
    length of spans; at most `most`, and never more than the gaps that keep them apart. Lengths of spans and gaps are
    drawn so that every division is equally probable. "S" hides the end, with a length uniform between one token and
    twice the mean.

    Args:
        length: tokens of the text, at least 2.
        denoiser: how to hide.
        generator: of the draws.
        most: largest number of spans.

    Returns:
        bool [length], True where hidden.

    Raises:
        DatasetError: the text has fewer than two tokens; one must be hidden and one given.
    """
    if length < 2:
        raise DatasetError(f"text: {length} tokens cannot be divided into given and hidden ones; take a longer one")
    mask = np.zeros(length, dtype=np.bool_)
    if denoiser.paradigm == "S":
        longest = int(np.clip(round(2.0 * denoiser.rate * length), 1, length - 1))
        mask[length - int(generator.integers(1, longest, endpoint=True)) :] = True
        return mask
    hidden, spans = _counts(length, denoiser, most)
    given = length - hidden
    between = _divide(given + 2, spans + 1, generator)
    between[[0, -1]] -= 1  # a text may begin and end with a span
    lengths = np.zeros(2 * spans + 1, dtype=np.int64)
    lengths[::2], lengths[1::2] = between, _divide(hidden, spans, generator)
    return np.repeat(np.arange(2 * spans + 1) % 2 == 1, lengths)


@lru_cache(maxsize=256)
def longest_text(denoiser: Denoiser, prompt: int, target: int) -> int:
    """The most tokens of a text that fit the network when it is divided by a denoiser.

    Args:
        denoiser: how to hide.
        prompt: tokens that there is room for in the prompt, besides prefix and end.
        target: the same in the target, besides the end.
    """

    def fits(length: int) -> bool:
        if denoiser.paradigm == "S":
            return length - 1 <= prompt and min(round(2.0 * denoiser.rate * length), length - 1) <= target
        hidden, spans = _counts(length, denoiser, SENTINELS)
        return length - hidden + spans <= prompt and hidden + spans <= target

    return 1 + bisect.bisect_left(range(2, prompt + target + 1), True, key=lambda length: not fits(length))


def corrupt(ids: Sequence[int], mask: Mask, paradigm: Paradigm, vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """Prompt and target of a text some of whose tokens are hidden, without the prefix.

    Args:
        ids: token ids of the text, L of them, without begin and end.
        mask: bool [L], True where hidden.
        paradigm: "S" writes no sentinels.
        vocabulary: whose ids.

    Returns:
        What is given, with a sentinel in place of each hidden span; and what is hidden, each span after its sentinel.

    Raises:
        VocabularyError: there are more than 200 spans.
    """
    given, target = list[int](), list[int]()
    sentinel = -1
    for position, (token, hidden) in enumerate(zip(ids, mask.tolist(), strict=True)):
        if not hidden:
            given.append(int(token))
            continue
        if paradigm != "S" and (position == 0 or not mask[position - 1]):
            sentinel += 1
            given.append(vocabulary.sentinel_id(sentinel))
            target.append(vocabulary.sentinel_id(sentinel))
        target.append(int(token))
    return given, target


def restore_text(prompt: Sequence[int], target: Sequence[int], vocabulary: Vocabulary) -> list[int]:
    """The text that `corrupt` divided: each sentinel of the prompt replaced by the target's span for it.

    Args:
        prompt: token ids, without the prefix.
        target: token ids.
        vocabulary: whose ids.

    Raises:
        DatasetError: the sentinels of the two are not the same, in the same order.
    """
    sentinels = {vocabulary.sentinel_id(index) for index in range(SENTINELS)}
    spans: dict[int, list[int]] = {}
    tail: list[int] = []
    current = tail
    for token in target:
        if token in sentinels:
            current = spans.setdefault(token, [])
        else:
            current.append(token)
    given = [token for token in prompt if token in sentinels]
    if given != list(spans):
        raise DatasetError("the sentinels of prompt and target differ, so the text cannot be put together")
    text: list[int] = []
    for token in prompt:
        text += spans.get(token, [token])
    return text + tail


def _counts(length: int, denoiser: Denoiser, most: int) -> tuple[int, int]:
    """How many tokens are hidden, and in how many spans."""
    hidden = int(np.clip(round(denoiser.rate * length), 1, length - 1))
    return hidden, int(np.clip(round(hidden / denoiser.span), 1, min(hidden, length - hidden + 1, most)))


def _divide(total: int, parts: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Cuts `total` tokens into `parts` pieces of at least one token, every way equally probable."""
    cuts = np.sort(generator.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]])).astype(np.int64)
