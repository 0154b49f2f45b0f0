"""Batches say which places of the stream their examples are from, and the stream which task and record is there."""

from __future__ import annotations

from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.record import Record
from embodio.datasets.stream.mixture import Mixture, MixtureEntry
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.stream.stream import BatchStream
from embodio.datasets.tasks.parts.objective_task import ObjectiveRate, ObjectiveTask
from embodio.model import ModelConfig, Processor, Vocabulary
from embodio.model.network.batch import POSITIONS
from tests.support.datasets.corpora import Copies, RecordList

CONTEXT = ObjectiveContext(ModelConfig.named("nano"), Vocabulary.default())


def task(name: str, count: int) -> ObjectiveTask:
    source = RecordList([Record(key=f"{name}{number}") for number in range(count)], name=name)
    return ObjectiveTask(source, [ObjectiveRate("copy", Copies(name))], CONTEXT)


def test_each_example_is_of_the_task_and_record_at_its_place() -> None:
    mixture = Mixture([MixtureEntry("one", task("a", 7), 2.0), MixtureEntry("other", task("b", 5))], MixtureConfig())
    processor = Processor(CONTEXT.config, CONTEXT.vocabulary)
    names = set()
    for rank in range(2):
        stream = BatchStream(mixture, processor, seed=3, batch_size=8, rank=rank, ranks=2)
        for step in range(3):
            batch = stream[step]
            assert batch[POSITIONS].tolist() == list(stream.positions(step))
            for tokens, position in zip(batch["inputs/text/tokens"], batch[POSITIONS].tolist(), strict=True):
                name, (drawn, record) = stream.task_at(position), stream.draw(position)
                key = drawn.source.records[record].key  # type: ignore[attr-defined]
                assert CONTEXT.vocabulary.decode(tokens.tolist()).strip() == f"{key[0]} {key}"
                assert stream.origin(position) == f"position {position}: {name}, {key[0]}, record {record}"
                names.add(name)
    assert names == {"one", "other"}


def test_a_single_task_needs_no_name() -> None:
    stream = BatchStream(task("a", 7), Processor(CONTEXT.config, CONTEXT.vocabulary), seed=3, batch_size=4)
    assert stream.task_at(0) == "" and stream.origin(2).startswith("position 2: a, record ")
