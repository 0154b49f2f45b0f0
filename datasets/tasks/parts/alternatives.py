"""Sentences with alternatives in braces, such as "{lift|raise} the {blue|green} cube", of which one each is said."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from embodio.datasets.errors import DatasetError

_CHOICE = re.compile(r"\{([^{}]*)\}")


def require_alternatives(sentences: Sequence[str], setting: str) -> None:
    """Checks sentences.

    Args:
        sentences: as of `said`.
        setting: where they stand, for messages.

    Raises:
        DatasetError: braces are not in pairs, or one choice is in another, or a way to say it has no word.
    """
    for sentence in sentences:
        outside = _CHOICE.sub("", sentence)
        if "{" in outside or "}" in outside:
            raise DatasetError(f"{setting}: {sentence!r}: each {{ needs its }}, and no choice may hold another one")
        choices = [choice.split("|") for choice in _CHOICE.findall(sentence)]
        if not outside.strip() and all(any(not one.strip() for one in choice) for choice in choices):
            raise DatasetError(f"{setting}: {sentence!r} can be said without a word; give one in every case")


def said(sentence: str, number: int, generator: np.random.Generator | None) -> str:
    """One way to say a sentence: one alternative of each choice.

    Example:
        >>> said("{lift|raise} the {blue|green} cube", 1, None)
        'raise the blue cube'

    Args:
        sentence: words with alternatives in braces, separated by |.
        number: without a generator, the number of the way, which counts on from the first after the last one.
        generator: draws each alternative.
    """

    def choose(found: re.Match[str]) -> str:
        nonlocal number
        alternatives = found[1].split("|")
        if generator is not None:
            return alternatives[int(generator.integers(len(alternatives)))]
        number, place = divmod(number, len(alternatives))
        return alternatives[place]

    return _CHOICE.sub(choose, sentence)
