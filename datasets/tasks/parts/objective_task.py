"""ObjectiveTask: records of a corpus as training examples, each by one of several objectives, drawn at given rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embodio.datasets.errors import DatasetError, ExampleError, UnusableRecord
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext, RecordObjective
from embodio.datasets.objectives.parts.material import one_by_rate
from embodio.datasets.records.record import Record, RecordSource
from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.example import Example
from embodio.model.tokens.vocabulary import VocabularyError

_FIXED = 0xF17ED  # key of the draws of validation


@dataclass(frozen=True)
class ObjectiveRate:
    """An objective of a task.

    Attributes:
        name: for messages.
        objective: makes the examples.
        rate: how often it is drawn, up to a common factor, among those that suit a record.
    """

    name: str
    objective: RecordObjective
    rate: float = 1.0


def rates_of(source: str, objectives: Mapping[str, tuple[ConfiguredObjective[Any], float]]) -> list[ObjectiveRate]:
    """The objectives of a source by name, each with its rate; those of rate 0 are left out.

    Raises:
        DatasetError: nothing is left, or one of them makes the examples of another one too, so that they would come
            more often than their rate says.
    """
    drawn = {name: objective for name, (objective, rate) in objectives.items() if rate > 0}
    if not drawn:
        raise DatasetError(f"{source}: it has no objectives, or their weights are 0; leave the source out instead")
    for name, objective in drawn.items():
        twice = sorted(objective.includes & drawn.keys())
        if twice:
            raise DatasetError(
                f"objectives of {source}: {name} makes the examples of {', '.join(twice)} too. Leave one of them out, "
                f"or let {name} do without, such as {name}.{twice[0].removeprefix('denoise_')}.weight=0"
            )
    return [ObjectiveRate(name, objective, objectives[name][1]) for name, objective in drawn.items()]


class ObjectiveTask:
    """The records of a source, each with an objective that suits it; a `RecordTask` of the training stream.

    Args:
        source: where records come from.
        objectives: what may be done with them.
        context: of the network.

    Attributes:
        source: as given.
        objectives: as given.

    Raises:
        DatasetError: no objectives, two of one name, or a rate that is not a positive number.
    """

    def __init__(self, source: RecordSource, objectives: Sequence[ObjectiveRate], context: ObjectiveContext) -> None:
        names = [one.name for one in objectives]
        if not names or len(set(names)) < len(names):
            raise DatasetError(f"objectives of {source.name}: got {names}, expected at least one, each once")
        for one in objectives:
            if not (math.isfinite(one.rate) and one.rate > 0):
                raise DatasetError(f"objectives.{one.name}: got the rate {one.rate}, expected a positive number")
        self.source, self.objectives, self._context = source, tuple(objectives), context

    @property
    def context(self) -> ObjectiveContext:
        """As given, with partners that are drawn from the source unless it has others."""
        given = self._context
        return given if given.partner is not None else replace(given, partner=self._partner)

    def _partner(self, generator: np.random.Generator) -> Record:
        return self.source.record(int(generator.integers(len(self.source))))

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Files that the source found to be damaged as a whole."""
        return tuple(getattr(self.source, "damaged", ()))

    @property
    def digest(self) -> str:
        """SHA-256 of the source's index, in hex."""
        return self.source.digest

    def __len__(self) -> int:
        """Records of the source; some may suit no objective."""
        return len(self.source)

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return self.source.place(index)

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index` by one of the objectives.

        Args:
            index: of the record.
            generator: makes all draws; None for a fixed one that depends on `index` alone, as in validation.

        Raises:
            CorruptRecordError: the record cannot be read.
            UnusableRecord: no objective suits it, or a text has a character that cannot be encoded.
        """
        if generator is None:
            generator = np.random.Generator(np.random.Philox(key=(index, _FIXED)))
        record = self.source.record(index)
        try:
            return self.draw(index, record, generator).objective.example(record, self.context, generator)
        except VocabularyError as error:
            raise UnusableRecord(self.source.name, index, f"{record.key!r}: {error}") from error

    def draw(self, index: int, record: Record, generator: np.random.Generator) -> ObjectiveRate:
        """Draws one of the objectives that suit a record; raises UnusableRecord if there is none."""
        context = self.context
        suitable = [one for one in self.objectives if one.objective.suits(record, context)]
        if not suitable:
            names = ", ".join(one.name for one in self.objectives)
            raise UnusableRecord(self.source.name, index, f"{record.key!r} suits none of the objectives {names}")
        return one_by_rate(suitable, [one.rate for one in suitable], generator)
