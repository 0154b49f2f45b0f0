"""Records in memory, and an objective that copies text, for tests of what stands on records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.record import Record
from embodio.datasets.tasks.parts.record_task import Place
from embodio.model.example import Example


@dataclass
class RecordList:
    """A RecordSource of records in memory; some of them cannot be read."""

    records: Sequence[Record]
    name: str = "list"
    broken: frozenset[int] = frozenset()
    digest: str = "0" * 64

    def __len__(self) -> int:
        return len(self.records)

    def record(self, index: int) -> Record:
        if index in self.broken:
            raise CorruptRecordError("list.jsonl", index, f"at byte {100 * index}: flipped bits", "Fetch it again")
        return self.records[index]

    def place(self, index: int) -> Place:
        return Place(self.name, index)


@dataclass
class Copies:
    """Suits records that `takes` accepts; the example is the key and one draw."""

    mark: str
    takes: Callable[[Record], bool] = field(default=lambda record: True)

    def suits(self, record: Record, context: ObjectiveContext) -> bool:
        return self.takes(record)

    def example(self, record: Record, context: ObjectiveContext, generator: np.random.Generator) -> Example:
        return Example(text=f"{self.mark} {record.key}", text_target=f"{generator.random()}")
