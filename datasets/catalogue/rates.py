"""Rates of the catalogue's rows: the paper's shares by category (Table 11) and by kind of data, together.

Within a category, rows of one kind share by the square root of their size, or of their cap if that is smaller (paper,
section 4.2), times their own rate. The shares of the categories and those of the kinds (60 % tasks with prompts, 30 %
pre-training carried on, 6 % task augmentation, 4 % free-form text) are two margins of one table, which iterative
proportional fitting meets: rows of a category are scaled to its share, then those of a kind, and again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from embodio.datasets.catalogue.kinds import KINDS
from embodio.datasets.catalogue.rows import CatalogueError, TaskCategory, TaskRow

PAPER_KINDS: Mapping[str, float] = {"prompted": 60.0, "pretraining": 30.0, "augmentation": 6.0, "free_form": 4.0}
"""Kind of rows -> its share in percent (paper, section 4.2)."""

_ROUNDS = 500


@dataclass(frozen=True)
class Rates:
    """What each row gets of the stream.

    Attributes:
        rows: name -> share, sum 1.
        kinds: kind -> share, sum 1; those asked for unless the rows that are there cannot meet them.
        categories: name -> share, sum 1.
        sizes: name -> the size that counted, before the square root.
    """

    rows: Mapping[str, float]
    kinds: Mapping[str, float]
    categories: Mapping[str, float]
    sizes: Mapping[str, float] = field(default_factory=dict)


def trained_rows(categories: Iterable[TaskCategory]) -> list[TaskRow]:
    """The rows that are part of the mixture."""
    return [row for category in categories for row in category.rows if row.trains]


def rates(
    categories: Sequence[TaskCategory],
    names: Iterable[str] | None = None,
    *,
    kinds: Mapping[str, float] = PAPER_KINDS,
    sizes: Mapping[str, int] | None = None,
) -> Rates:
    """The share of each row.

    Args:
        categories: of the catalogue.
        names: of the rows that are there; None for all that train. Categories and kinds without any are left out, and
            the others share what they had.
        kinds: kind -> its share, up to a common factor.
        sizes: name -> size counted in the files, which goes before that of the row.

    Raises:
        CatalogueError: there are no rows, a name is not in the catalogue, or a kind has no share.
    """
    known = {row.name: row for row in trained_rows(categories)}
    wanted = list(known) if names is None else list(names)
    if unknown := [name for name in wanted if name not in known]:
        raise CatalogueError(f"rows: {', '.join(unknown)} are not rows that train; embodio-data tasks lists them")
    if not wanted:
        raise CatalogueError("rows: there is not one that can be read; embodio-data tasks data=DIR says why")
    if wrong := [kind for kind in KINDS if not (math.isfinite(kinds.get(kind, 0)) and kinds.get(kind, 0) >= 0)]:
        raise CatalogueError(f"kinds.{wrong[0]}: got {kinds[wrong[0]]}, expected a share of at least 0")
    rows = [known[name] for name in wanted if kinds.get(known[name].kind, 0)]
    if not rows:
        raise CatalogueError("kinds: the rows that are there have kinds of share 0; give them one")
    counted = _counted(rows, sizes or {})
    shares = {category.name: category.share for category in categories}
    weights = np.array([row.rate * math.sqrt(counted[row.name]) for row in rows])
    found = _fitted(weights, _margin(rows, "category", shares), _margin(rows, "kind", kinds))
    return Rates(
        dict(zip((row.name for row in rows), found.tolist(), strict=True)),
        _sums(rows, "kind", found),
        _sums(rows, "category", found),
        counted,
    )


def _counted(rows: Sequence[TaskRow], sizes: Mapping[str, int]) -> dict[str, float]:
    """The size of each row that counts; where none is known, the geometric mean of those of its category."""
    known = {row.name: sizes.get(row.name, row.size) for row in rows}
    every = _mean([size for size in known.values() if size])
    found = {}
    for row in rows:
        size = known[row.name]
        alike = [known[one.name] for one in rows if one.category == row.category]
        counts = float(size) if size else _mean([one for one in alike if one], every)
        found[row.name] = min(counts, row.cap) if row.cap else counts
    return found


def _mean(sizes: Sequence[int], otherwise: float = 1.0) -> float:
    """The geometric mean."""
    return math.exp(sum(math.log(size) for size in sizes) / len(sizes)) if sizes else otherwise


_Margin = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""The number of the group of each row, int64 [rows], and the share of each group, float64 [groups], sum 1."""


def _margin(rows: Sequence[TaskRow], attribute: str, shares: Mapping[str, float]) -> _Margin:
    names = list(dict.fromkeys(getattr(row, attribute) for row in rows))
    wanted = np.array([shares[name] for name in names], dtype=np.float64)
    return np.array([names.index(getattr(row, attribute)) for row in rows]), wanted / wanted.sum()


def _fitted(weights: npt.NDArray[np.float64], first: _Margin, second: _Margin) -> npt.NDArray[np.float64]:
    """The table nearest to the weights with both margins; where there is none, the first is met exactly."""
    found = weights / weights.sum()
    for _ in range(_ROUNDS):
        for groups, wanted in (second, first):
            found = found * (wanted / np.bincount(groups, found))[groups]
    return found


def _sums(rows: Sequence[TaskRow], attribute: str, found: npt.NDArray[np.float64]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for row, share in zip(rows, found.tolist(), strict=True):
        sums[getattr(row, attribute)] = sums.get(getattr(row, attribute), 0.0) + share
    return sums
