"""AnnotatedTask: the items of an annotated file as training examples of a family of tasks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.annotations.parts.item import AnnotatedItem, AnnotatedItems
from embodio.datasets.augment.heard import HeardChange
from embodio.datasets.augment.tasks.parts.augmentation import TaskAugmentation
from embodio.datasets.errors import AnnotationError, CorruptRecordError, DatasetError, ExampleError, UnusableRecord
from embodio.datasets.tasks.parts.record_task import Place, spread
from embodio.model.errors import ModelError
from embodio.model.example import Example
from embodio.model.tasks import Prompts
from embodio.model.tasks.base.family import Annotation, Family
from embodio.model.tasks.base.task_codec import TaskCodec

_FIXED = 0xF17ED  # key of the draws of validation
_MOST = 32  # annotations of one group that an augmentation is given
_LOOKED_AT = 16  # items that the digest names


class AnnotatedTask:
    """Annotations, each asked for in a wording that is drawn; a `RecordTask` of the training stream.

    Args:
        name: for messages.
        file: of the annotations, for messages.
        items: the annotations; those of one image next to each other.
        family: writes them.
        codec: of the network.
        style: of the wordings, where the group of an annotation has it; empty for the plain ones.
        augmentation: makes an annotation of the family out of those of one group; None for the items as they are.
        numbers: of the items that are used; None for all.
        heard: changes sounds in training, where `example` is given a generator; None for sounds as they are.

    Raises:
        DatasetError: there are no items.
    """

    def __init__(
        self,
        name: str,
        file: Path,
        items: Sequence[AnnotatedItem],
        family: Family[Any],
        codec: TaskCodec,
        style: str = "",
        augmentation: TaskAugmentation[Any] | None = None,
        numbers: range | None = None,
        heard: HeardChange | None = None,
    ) -> None:
        self._numbers = range(len(items)) if numbers is None else numbers
        if not self._numbers:
            raise DatasetError(f"{name}: there is not one item in {file}")
        self._name, self._file, self._items = name, file, items
        self._family, self._codec, self._style = family, codec, style
        self._augmentation, self._prompts, self._heard = augmentation, Prompts(), heard
        self._classes = items.classes if isinstance(items, AnnotatedItems) else ()

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """None: what a reader leaves out is logged when the file is opened."""
        return ()

    @property
    def digest(self) -> str:
        """SHA-256 of the number of items and of the keys of some of them, in hex."""
        keys = [self._item(index).key for index in spread(len(self), _LOOKED_AT)]
        return hashlib.sha256(repr((self._family.name, self._numbers, keys)).encode()).hexdigest()

    def __len__(self) -> int:
        """Items that are used."""
        return len(self._numbers)

    def place(self, index: int) -> Place:
        """Where item `index` comes from, for messages."""
        return Place(self._name, index)

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of item `index`.

        Args:
            index: of the item.
            generator: makes all draws; None for a fixed one that depends on `index` alone, as in validation.

        Raises:
            CorruptRecordError: media of the item are missing or damaged.
            UnusableRecord: the augmentation makes nothing of it, or it does not fit its image or the vocabulary.
        """
        heard = self._heard if generator is not None else None
        if generator is None:
            generator = np.random.Generator(np.random.Philox(key=(index, _FIXED)))
        annotation = self._annotation(index, generator)
        try:
            name = f"{self._family.name}.{self._family.group(annotation)}"
            styled = f"{name}/{self._style}"
            wordings = self._prompts[styled if styled in self._prompts else name]
            wording = wordings.draw(generator)
            changed = annotation if heard is None else heard(annotation, generator)
            return self._family.write(changed, wording, self._codec)
        except ModelError as error:
            raise UnusableRecord(self._name, index, str(error)) from error

    def _item(self, index: int) -> AnnotatedItem:
        return self._items[self._numbers[index]]

    def _annotation(self, index: int, generator: np.random.Generator) -> Annotation:
        """The annotation of an item, or what the augmentation makes of it; errors as in `example`."""
        own = self._made(index)
        if self._augmentation is None:
            return own
        others = [self._made(other) for other in self._neighbours(index)]
        made = self._augmentation([own, *others], generator, self._classes)
        if made is None:
            raise UnusableRecord(self._name, index, f"{self._item(index).key!r}: the augmentation makes nothing of it")
        return made

    def _made(self, index: int) -> Annotation:
        try:
            return self._item(index).make()
        except AnnotationError as error:
            remedy = "Fetch or repair the file, or leave the item out"
            raise CorruptRecordError(self._file, self._numbers[index], str(error), remedy) from error

    def _neighbours(self, index: int) -> list[int]:
        """Items of the same group before and after one, without a gap, at most as many as an augmentation is given."""
        group = self._item(index).group
        found: list[int] = []
        for step in (-1, 1):
            places = takewhile(lambda place: 0 <= place < len(self), count(index + step, step))
            found += islice(takewhile(lambda place: self._item(place).group == group, places), _MOST - 1)
        return sorted(found, key=lambda place: abs(place - index))[: _MOST - 1]
