"""Objectives are drawn at their rates among those that suit; what cannot be read or used is skipped and counted."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.errors import DatasetError, ExampleError, TooMuchDamage, UnusableRecord
from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Media, Record
from embodio.datasets.stream.loader import Loader, LoaderConfig
from embodio.datasets.stream.mixture import Mixture, MixtureEntry
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.stream.stream import BatchStream, batches, evaluation_batches
from embodio.datasets.tasks.parts.objective_task import ObjectiveRate, ObjectiveTask
from embodio.model import ModelConfig, Processor, Vocabulary
from embodio.model.network.batch import Batch
from tests.support.datasets.corpora import Copies, RecordList

CONTEXT = ObjectiveContext(ModelConfig.named("nano"), Vocabulary.default())
RECORDS = [Record(key=f"r{number}", text="x" * (number % 3)) for number in range(60)]


def task(*rates: ObjectiveRate, broken: frozenset[int] = frozenset()) -> ObjectiveTask:
    return ObjectiveTask(RecordList(RECORDS, broken=broken), rates or [ObjectiveRate("a", Copies("a"))], CONTEXT)


def mark(example: object) -> str:
    return str(example.text).split()[0]  # type: ignore[attr-defined]


def stream(made: ObjectiveTask) -> BatchStream:
    mixture = Mixture([MixtureEntry("text", made)], MixtureConfig())
    return BatchStream(mixture, Processor(CONTEXT.config, CONTEXT.vocabulary), seed=3, batch_size=8)


def test_rates_hold_among_the_objectives_that_suit() -> None:
    made = task(
        ObjectiveRate("a", Copies("a"), 3.0),
        ObjectiveRate("b", Copies("b"), 1.0),
        ObjectiveRate("long", Copies("long", lambda record: len(record.text) == 2), 4.0),
    )
    generator = np.random.default_rng(0)
    for index, expected in ((0, {"a": 0.75, "b": 0.25}), (2, {"a": 0.375, "b": 0.125, "long": 0.5})):
        counts = Counter(mark(made.example(index, generator)) for _ in range(4000))
        assert counts.keys() == expected.keys()
        for name, share in expected.items():
            assert abs(counts[name] / 4000 - share) < 0.04


def test_validation_draws_are_fixed_and_differ_between_records() -> None:
    first, second = task(), task()
    targets = [first.example(index).text_target for index in range(20)]
    assert targets == [second.example(index).text_target for index in range(20)]
    assert len(set(map(str, targets))) == 20


def test_an_example_depends_on_record_and_generator_alone() -> None:
    made = task()
    made.example(5, np.random.default_rng(1))
    assert made.example(7, np.random.default_rng(2)).text_target == (
        task().example(7, np.random.default_rng(2)).text_target
    )


def test_records_that_cannot_be_read_or_used_are_replaced_and_reported() -> None:
    made = task(ObjectiveRate("a", Copies("a", lambda record: len(record.text) > 0)), broken=frozenset({4, 5}))
    seen: list[str] = []
    found = list(batches(stream(made), 0, 30, config=LoaderConfig(), on_damage=lambda e: seen.append(str(e))))
    assert len(found) == 30 and all(len(_first(batch)) == 8 for batch in found)
    assert any("list, record 4: list.jsonl, record 4: at byte 400: flipped bits" in line for line in seen)
    assert any("list, record 0: list, record 0: 'r0' suits none of the objectives a" in line for line in seen)
    empty = [line for line in seen if "suits none" in line]
    assert len(set(empty)) == 20 and len(empty) > 60, "every third is empty, and is counted each time it is drawn"
    assert len(seen) == len(empty) + 2, "those that are broken once each"


def test_records_without_an_example_do_not_count_as_damaged() -> None:
    made = task(ObjectiveRate("a", Copies("a", lambda record: len(record.text) > 0)), broken=frozenset({4, 5}))
    seen: list[ExampleError] = []
    with Loader(stream(made), 0, 30, LoaderConfig(damaged_limit=2), seen.append) as loader:
        assert len(list(loader)) == 30 and len(loader.damaged) == 2
    assert {type(error).__name__ for error in seen} == {"NothingToLearn", "DamagedRecord"}


def test_the_limit_of_skipped_records_holds() -> None:
    made = task(broken=frozenset(range(0, 60, 2)))
    with pytest.raises(TooMuchDamage, match="6 episodes or records are damaged, but damaged_limit is 5"):
        list(batches(stream(made), 0, 30, config=LoaderConfig(damaged_limit=5)))


def test_validation_leaves_out_what_cannot_be_read() -> None:
    made, lost = task(broken=frozenset({0})), list[str]()
    processor = Processor(CONTEXT.config, CONTEXT.vocabulary)
    found = list(evaluation_batches(made, processor, 60, 16, lambda error: lost.append(str(error))))
    assert sum(len(_first(batch)) for batch in found) == 59 and len(lost) == 1


def test_wrong_rates_and_unusable_records_are_named() -> None:
    with pytest.raises(DatasetError, match="expected at least one"):
        ObjectiveTask(RecordList(RECORDS), [], CONTEXT)
    with pytest.raises(DatasetError, match="each once"):
        task(ObjectiveRate("a", Copies("a")), ObjectiveRate("a", Copies("a")))
    with pytest.raises(DatasetError, match=r"objectives.a: got the rate nan"):
        task(ObjectiveRate("a", Copies("a"), float("nan")))
    with pytest.raises(UnusableRecord, match="record 0"):
        task(ObjectiveRate("a", Copies("a", lambda record: False))).example(0)


def _first(batch: Batch) -> object:
    return next(iter(batch.values()))


def test_partners_are_drawn_from_the_source_with_the_generator_and_those_that_were_given_stay() -> None:
    made = task()
    partner = made.context.partner
    assert partner is not None
    first, second = ([partner(generator).key for _ in range(200)] for generator in map(np.random.default_rng, (4, 4)))
    assert first == second and len(set(first)) > 50
    own = ObjectiveContext(CONTEXT.config, CONTEXT.vocabulary, lambda generator: RECORDS[7])
    assert ObjectiveTask(RecordList(RECORDS), [ObjectiveRate("a", Copies("a"))], own).context is own


def test_batches_of_a_corpus_are_the_same_in_workers(tmp_path: Path) -> None:
    """A source is sent to the workers; damage is replaced by the same records there."""
    rows = ['{"text": "some words of text %d"}' % number for number in range(30)]  # noqa: UP031
    rows[7] = "{"
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    made = ObjectiveTask(open_records(tmp_path), [ObjectiveRate("text", named_objective("denoise_text")())], CONTEXT)
    whole, damage = dict[int, list[str]](), dict[int, list[str]]()
    for workers in (0, 2):
        seen = damage.setdefault(workers, [])
        found = batches(stream(made), 0, 8, workers, on_damage=lambda error, seen=seen: seen.append(str(error)))
        whole[workers] = [str({name: tensor.tolist() for name, tensor in batch.items()}) for batch in found]
    assert whole[0] == whole[2] and damage[0] == damage[2]
    assert len(damage[0]) == 1 and "record 7: at byte" in damage[0][0] and "not JSON" in damage[0][0]


def test_images_too_thin_and_texts_that_cannot_be_encoded_are_skipped() -> None:
    thin = Record(key="thin", image=Media.of(np.ones((4, 4000, 3), dtype=np.uint8)), captions=("a thin line",))
    torn = Record(key="torn", image=Media.of(np.ones((40, 40, 3), dtype=np.uint8)), captions=("half a \ud83d sign",))
    square = Media.of(np.ones((40, 40, 3), dtype=np.uint8))
    good = [Record(key=f"good {number}", image=square, captions=(f"square {number}",)) for number in range(9)]
    objectives = [ObjectiveRate(name, named_objective(name)()) for name in ("denoise_text", "caption_several")]
    seen: list[str] = []
    for bad, message in ((thin, "too thin"), (torn, "surrogate")):
        made = ObjectiveTask(RecordList([*good, bad]), objectives, CONTEXT)
        found = list(batches(stream(made), 0, 4, config=LoaderConfig(), on_damage=lambda e: seen.append(str(e))))
        assert len(found) == 4 and any(message in line for line in seen)


def test_validation_of_a_network_that_looks_at_some_patches_looks_at_the_same_ones_each_time() -> None:
    config = CONTEXT.config.replace(sampling=dataclasses.replace(CONTEXT.config.sampling, image_patches=5))
    pictures = [np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8) for number in range(4)]
    records = [Record(key=f"p{n}", image=Media.of(one), captions=("a cup",)) for n, one in enumerate(pictures)]
    objective = ObjectiveRate("count", named_objective("count_patches")())
    made = ObjectiveTask(RecordList(records), [objective], ObjectiveContext(config, CONTEXT.vocabulary))
    one, other = (list(evaluation_batches(made, Processor(config, CONTEXT.vocabulary), 4, 4)) for _ in range(2))
    key = "inputs/image/pos_ids"
    assert one[0][key].shape == (4, 5) and one[0][key].equal(other[0][key])
