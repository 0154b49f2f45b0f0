"""Captions with constraints: longer or shorter than a number of words, with given words, or with a given beginning.

Of "a red cup on a table", the request may be: longer than 4 words; containing "cup"; beginning with "My caption is:".
The answer is "My caption is: a red cup on a table".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, one_of, some_of
from embodio.model.tasks.base.text_family import TextItem, media_kind
from embodio.model.tasks.families.caption_constrained import ConstrainedCaption

PREFIXES = ("My caption is:", "In this picture,", "Answer:", "What I see:", "Caption:", "The image shows", "Here:")
"""Beginnings that may be asked for; a part of the caption itself may be asked for as well."""

LONGEST_PREFIX = 3
_WORD = re.compile(r"[^\W\d_]{4,}")


def caption_with_constraints(
    annotations: Sequence[TextItem], generator: np.random.Generator, classes: Sequence[str]
) -> ConstrainedCaption | None:
    """A caption among those of the image, and at least one requirement that it fulfils; None for other media."""
    own = annotations[0]
    texts = [text for text in dict.fromkeys((own.text or "", *own.references)) if text.strip()]
    if media_kind(own.media) != "image" or not texts:
        return None
    text = one_of(texts, generator).strip()
    kinds = some_of(("length", "words", "prefix"), 3, generator)
    prefix = ""
    if "prefix" in kinds:
        start = " ".join(text.split()[: int(generator.integers(1, LONGEST_PREFIX, endpoint=True))])
        prefix = start if generator.random() < 0.5 else one_of(PREFIXES, generator)
        text = text if prefix == start else f"{prefix} {text}"
    longer, shorter = _length(text, generator) if "length" in kinds else (None, None)
    words = tuple(some_of(_WORD.findall(text.removeprefix(prefix)), 2, generator)) if "words" in kinds else ()
    if longer is None and shorter is None and not words and not prefix:
        longer, shorter = _length(text, generator)
    return ConstrainedCaption(
        media=own.media, text=text, longer_than=longer, shorter_than=shorter, words=words, prefix=prefix
    )


def _length(text: str, generator: np.random.Generator) -> tuple[int | None, int | None]:
    """A number of words that the text is longer than, or shorter than."""
    count = len(text.split())
    if count > 1 and generator.random() < 0.5:
        return int(generator.integers(count // 2, count)), None
    return None, int(generator.integers(count + 1, 2 * count, endpoint=True))


AUGMENTATION = TaskAugmentation(takes=("caption",), make=caption_with_constraints, gives="caption_constrained")
