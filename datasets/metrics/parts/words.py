"""Words of answers: tokens of captions, n-grams, edit distances."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from embodio.datasets.metrics.parts.metric import MetricError, given

_PUNCTUATION = {"''", "'", "``", "`", '"', "(", ")", "[", "]", "{", "}"} | {
    ".",
    "?",
    "!",
    ",",
    ":",
    "-",
    "--",
    "...",
    ";",
}
_TOKEN = re.compile(
    r"(?:[a-z]\.){2,}"  # abbreviations such as u.s.
    r"|\w+(?=n't\b)|n't\b|'(?:s|m|d|ll|re|ve)\b"  # contractions
    r"|\d+(?:[.,:]\d+)*(?:\w+(?:-\w+)*)?"  # numbers, with units
    r"|\w+(?:[-&/]\w+)*"  # words, also joined by hyphens
    r"|\.\.\.|--|\S"
)
_CANNOT = re.compile(r"\b(can)(not)\b")


def caption_tokens(text: str) -> list[str]:
    """The tokens by which captions are compared: lower case, contractions split, without punctuation.

    The rules of the Penn Treebank tokeniser, which the COCO caption metrics use, for the cases that occur in captions.
    """
    plain = _CANNOT.sub(r"\1 \2", text.lower().replace("\u2019", "'"))
    return [token for token in _TOKEN.findall(plain) if token not in _PUNCTUATION]


def ngrams(tokens: Sequence[str], most: int) -> list[Counter[tuple[str, ...]]]:
    """How often each n-gram occurs, for n from 1 to `most`."""
    return [
        Counter(tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1))
        for size in range(1, most + 1)
    ]


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """The least number of insertions, deletions and substitutions that turn one sequence into the other."""
    before = list(range(len(other) + 1))
    for row, left in enumerate(one, start=1):
        now = [row]
        for column, right in enumerate(other, start=1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (left != right)))
        before = now
    return before[-1]


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    before = [0] * (len(other) + 1)
    for left in one:
        now = [0]
        for column, right in enumerate(other):
            now.append(before[column] + 1 if left == right else max(before[column + 1], now[-1]))
        before = now
    return before[-1]


def references(truth: Any) -> tuple[str, ...]:
    """The right answers of an annotation: its references, or else its text.

    Raises:
        MetricError: it has neither.
    """
    found: tuple[str, ...] = tuple(getattr(truth, "references", ())) or (given(truth, "text"),)
    if not all(isinstance(one, str) for one in found):
        raise MetricError(f"references: expected texts, found {found!r}")
    return found


def answer_text(found: Any) -> str:
    """The text of an answer; empty for one that could not be read."""
    return "" if found is None else str(given(found, "text"))
