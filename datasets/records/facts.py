"""Facts of records that several readers need: texts, and what each thing in a picture has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from embodio.datasets.errors import FeatureError
from embodio.datasets.records.record import Record


def texts_of(record: Record, fact: str) -> tuple[str, ...]:
    """The texts of a fact that is a text or a list of them; other values and empty texts are left out."""
    found = record.facts.get(fact)
    several = found if isinstance(found, list | tuple) else (found,)
    return tuple(one.strip() for one in several if isinstance(one, str) and one.strip())


def things_of(record: Record, *facts: str) -> list[tuple[Any, ...]]:
    """What each thing in a picture has of some facts.

    Args:
        record: of the picture.
        facts: among "labels" (texts), "boxes" (four numbers (y1, x1, y2, x2) in pixels) and "mask_values" (integers).

    Raises:
        FeatureError: one of them is not a list of those, or one thing has not all of them.
    """
    columns = {name: _column(record, name) for name in facts}
    if len({len(column) for column in columns.values()}) > 1:
        counts = ", ".join(f"{len(column)} {name}" for name, column in columns.items())
        raise FeatureError(f"{record.key}: {counts}; give one of each for every thing in the picture")
    return list(zip(*columns.values(), strict=True))


def _column(record: Record, name: str) -> list[Any]:
    found, (wanted, fits) = record.facts.get(name, ()), _KINDS[name]
    values = list(found) if isinstance(found, list | tuple | np.ndarray) else [found]
    wrong = [one for one in values if not fits(one)]
    if wrong or (values and values[0] is found):
        raise FeatureError(
            f"{record.key}: {name}: got {(wrong or [found])[0]!r}, expected a list with {wanted} a thing"
        )
    return values


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, list | tuple | np.ndarray) and len(value) == 4 and all(isinstance(one, Real) for one in value)
    )


_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "labels": ("a text", lambda value: isinstance(value, str)),
    "boxes": ("four numbers (y1, x1, y2, x2)", _is_box),
    "mask_values": ("an integer", lambda value: isinstance(value, Integral)),
}
