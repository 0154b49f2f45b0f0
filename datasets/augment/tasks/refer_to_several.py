"""Several referring expressions at once: two to four texts about an image, and a box for each in their order.

With "the cup" and "the dog on the left", the request may be "the dog on the left", "the cup": the answer is the dog's
box, then the cup's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation, shuffled
from embodio.model.tasks.families.refer import Reference
from embodio.model.tasks.families.refer_several import References

MOST_EXPRESSIONS = 4


def drawn_references(
    annotations: Sequence[Reference], most: int, generator: np.random.Generator
) -> dict[str, npt.NDArray[np.float32]]:
    """Expression -> box, of the first annotation and at most `most` - 1 others with other words, in a random order.

    The first annotation is among them if it has a box; an expression with two different boxes is left out.
    """
    boxes: dict[str, npt.NDArray[np.float32]] = {}
    unclear = set()
    for one in annotations:
        if one.box is not None:
            same = boxes.setdefault(one.expression, one.box)
            unclear |= {one.expression} if not np.array_equal(same, one.box) else set()
    first = annotations[0].expression
    others = [text for text in boxes if text not in unclear | {first}]
    if first not in boxes or first in unclear:
        return {}
    chosen = shuffled([first, *shuffled(others, generator)[: most - 1]], generator)
    return {text: boxes[text] for text in chosen}


def refer_to_several(
    annotations: Sequence[Reference], generator: np.random.Generator, classes: Sequence[str]
) -> References | None:
    """Two to four expressions; None if there is only one."""
    chosen = drawn_references(annotations, int(generator.integers(2, MOST_EXPRESSIONS, endpoint=True)), generator)
    if len(chosen) < 2:
        return None
    boxes, labels = np.stack(list(chosen.values())), ("",) * len(chosen)
    return References(media=annotations[0].media, expressions=tuple(chosen), boxes=boxes, labels=labels)


AUGMENTATION = TaskAugmentation(takes=("refer",), make=refer_to_several, gives="refer_several")
