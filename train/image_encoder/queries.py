"""Queries: a name, a kind or a colour in words, and which patches and which one box of a picture it means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodio.model.tokens.vocabulary import BOS_ID, Vocabulary
from embodio.train.image_encoder.labels import LabelledPicture, PatchLabels

MOST_TOKENS = 8
_PARTS = ("name", "kind", "first")
_ODDS = (0.5, 0.3, 0.2)


@dataclass(frozen=True, eq=False)
class Query:
    """What is asked of a picture, and the answer.

    Attributes:
        tokens: int64 [MOST_TOKENS], the words, then padding.
        mask: bool [MOST_TOKENS], which tokens there are.
        meant: bool [N], the patches that show what is meant.
        box: float32 [4], the corners of what is meant in shares of the canvas.
        asked: bool, whether anything is asked: a picture without known things that have a name is asked nothing.
        one: bool, whether one thing is meant, so that the box is known.
    """

    tokens: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]
    meant: npt.NDArray[np.bool_]
    box: npt.NDArray[np.float32]
    asked: npt.NDArray[np.bool_]
    one: npt.NDArray[np.bool_]


def drawn_query(
    picture: LabelledPicture, labels: PatchLabels, vocabulary: Vocabulary, generator: np.random.Generator
) -> Query:
    """Asks for one of the things that are seen: by its name, its last word (the kind), or its first (the colour)."""
    seen = [number for number in np.unique(labels.things).tolist() if number >= 0 and picture.labels[number].strip()]
    tokens, mask = np.full(MOST_TOKENS, BOS_ID, np.int64), np.zeros(MOST_TOKENS, np.bool_)
    mask[0] = True
    meant, box = np.zeros(len(labels.things), np.bool_), np.zeros(4, np.float32)
    if not seen:
        return Query(tokens, mask, meant, box, np.array(False), np.array(False))
    words = [picture.labels[number].split() for number in seen]
    wanted = words[int(generator.integers(len(seen)))]
    part = _PARTS[int(generator.choice(len(_PARTS), p=_ODDS))]
    asked = {"name": wanted, "kind": wanted[-1:], "first": wanted[:1]}[part]
    fits = [number for number, name in zip(seen, words, strict=True) if set(asked) <= set(name)]
    ids = vocabulary.encode(" ".join(asked))[:MOST_TOKENS]
    tokens[: len(ids)], mask[: len(ids)] = ids, True
    meant[:] = np.isin(labels.things, fits)
    if len(fits) == 1:
        box[:] = labels.corners[labels.things == fits[0]][0]
    return Query(tokens, mask, meant, box, np.array(True), np.array(len(fits) == 1))
