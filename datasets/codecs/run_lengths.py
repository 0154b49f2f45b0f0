"""Masks as run lengths, as COCO has them: columns one after the other, black and white runs in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_FIRST, _MORE, _SIGN = 48, 32, 16  # of a character: code of 0, bit for a further one, sign of the last one


def mask_of_runs(encoded: Mapping[str, Any]) -> npt.NDArray[np.bool_]:
    """The mask bool [H, W] of {"size": [H, W], "counts": text or list of numbers}.

    A list holds the lengths of runs from the upper left downwards, the first one black. A text holds them with 5 bits a
    character, the lowest first, each from the fourth on less the one two before it.

    Raises:
        ValueError: it is not written like that, or the runs do not fill the mask.
    """
    try:
        height, width = (int(side) for side in encoded["size"])
        counts = encoded["counts"]
        runs = _unpacked(counts) if isinstance(counts, str) else [int(count) for count in counts]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f'expected run lengths {{"size": [H, W], "counts": ...}}, found {encoded!r:.80}') from error
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"the run lengths fill {sum(runs)} of {height} x {width} pixels")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _unpacked(text: str) -> Sequence[int]:
    """The run lengths of a text; raises IndexError where it ends too early."""
    runs: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            bits = ord(text[place]) - _FIRST
            if not 0 <= bits < 2 * _MORE:
                raise ValueError(f"{text[place]!r} is not a character of run lengths")
            value |= (bits & (_MORE - 1)) << shift
            more, place, shift = bool(bits & _MORE), place + 1, shift + 5
        if bits & _SIGN:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
