"""TaskAugmentation: a transform of annotations, a pure function of annotations and generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from embodio.model.tasks.base.family import Annotation

A = TypeVar("A", bound=Annotation)
T = TypeVar("T")

Make = Callable[[Sequence[A], np.random.Generator, Sequence[str]], Annotation | None]
"""(annotations of one image, generator, all class names of the data set) -> annotation, or None where none suits."""


@dataclass(frozen=True)
class TaskAugmentation(Generic[A]):
    """A way to ask something else of annotations that are there.

    Attributes:
        takes: names of the families whose annotations it takes.
        gives: name of the family of what it makes; "" for that of what it takes.
        make: makes an annotation. All draws come from the generator, and the annotations are left as they are.
    """

    takes: tuple[str, ...]
    make: Make[A]
    gives: str = ""

    def __call__(
        self, annotations: Sequence[A], generator: np.random.Generator, classes: Sequence[str] = ()
    ) -> Annotation | None:
        """An augmented annotation.

        Args:
            annotations: with their answers, all of one family and about the same media, such as all questions about an
                image; the first one is always used, the others where several are needed.
            generator: makes all draws.
            classes: names of all classes of the data set, of which some are asked for though they are not there.

        Returns:
            The annotation; None where it cannot be made of these.
        """
        return self.make(annotations, generator, classes) if annotations else None


def absent(present: Sequence[str], classes: Sequence[str]) -> list[str]:
    """The classes that are not there, in their order; case does not matter."""
    there = {name.strip().lower() for name in present}
    return [name for name in classes if name.strip().lower() not in there]


def some_of(names: Sequence[str], most: int, generator: np.random.Generator, fewest: int = 1) -> list[str]:
    """Draws `fewest` to `most` different names, at most all there are, in a random order."""
    different = list(dict.fromkeys(names))
    count = min(int(generator.integers(fewest, most, endpoint=True)), len(different))
    return shuffled(different, generator)[:count]


def shuffled(items: Sequence[T], generator: np.random.Generator) -> list[T]:
    """The items in a random order."""
    return [items[int(place)] for place in generator.permutation(len(items))]


def one_of(items: Sequence[T], generator: np.random.Generator) -> T:
    """One of the items."""
    return items[int(generator.integers(len(items)))]
