"""Sentences with alternatives in braces, such as "{lift|raise} the {blue|green} cube", of which one each is said."""

from __future__ import annotations

import re

import numpy as np

_CHOICE = re.compile(r"\{([^{}]*)\}")


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
