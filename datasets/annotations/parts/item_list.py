"""ItemList: the items of a file of annotations while it is read, and what of the file is left out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.datasets.annotations.parts.item import (
    AnnotatedItem,
    AnnotatedItems,
    AnnotationError,
    Omission,
    require_distinct,
)
from embodio.datasets.annotations.parts.values import annotated_item
from embodio.model.tasks.base.family import Family

_log = logging.getLogger(__name__)


class ItemList:
    """The items of a file while it is read: adds them, and counts what is left out.

    Args:
        file: the annotations.
        folder: of the media.
        family: what the annotations are for.
    """

    def __init__(self, file: Path, folder: Path, family: Family[Any]) -> None:
        self.file, self.folder, self.family = file, folder, family
        self._items: list[AnnotatedItem] = []
        self._left: dict[str, tuple[int, str]] = {}

    def add(self, key: object, group: object, values: Mapping[str, Any], place: str, *, clip: bool = False) -> None:
        """Adds an item.

        Args:
            key: its name in the file.
            group: what it shares with others.
            values: the fields of its annotation, see `annotation_of`.
            place: where it is in the file, for messages.
            clip: whether boxes that stick out of the image are cut at its edge.
        """
        where = f"{self.file}, {place}"
        self._items.append(annotated_item(self.family, values, self.folder, where, str(key), str(group), clip=clip))

    def leave_out(self, reason: str, place: str) -> None:
        """Counts something that cannot be used."""
        count, first = self._left.get(reason, (0, place))
        self._left[reason] = count + 1, first

    def done(self, classes: tuple[str, ...] = ()) -> AnnotatedItems:
        """All items; what was left out is logged.

        Args:
            classes: see `AnnotatedItems`.

        Raises:
            AnnotationError: there is not one item, or two have one key.
        """
        left = tuple(Omission(reason, count, first) for reason, (count, first) in self._left.items())
        for one in left:
            _log.warning("%s: %d left out: %s; the first one is %s", self.file, one.count, one.reason, one.first)
        if not self._items and left:
            raise AnnotationError(
                f"{self.file}: there is not one item of {self.family.name} in it; {left[0].count} were left out: "
                f"{left[0].reason}, the first one is {left[0].first}"
            )
        return AnnotatedItems(tuple(require_distinct(self._items, self.file)), left, classes)
