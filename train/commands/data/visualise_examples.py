"""`embodio-data visualise objective=...`: a page of the examples that objectives make of the records of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.files.folder_lock import sole_writer
from embodio.datasets.objectives import named_objective, objective_names
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.pages.example_page import ExampleCard, example_card, examples_html
from embodio.datasets.progress import counted
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import RecordSource
from embodio.datasets.stream.numbered_batches import made
from embodio.datasets.tasks.parts.objective_task import ObjectiveRate, ObjectiveTask
from embodio.datasets.tasks.parts.record_task import spread
from embodio.model.config.model import ModelConfig
from embodio.model.processing.processor import Processor
from embodio.model.writing import write_bytes
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import VisualiseConfig
from embodio.train.experiments.pretrain.network import opened_vocabulary

ALL = "all"


def visualise_examples(config: VisualiseConfig) -> int:
    """Writes the page; returns the exit code."""
    require_writable(config.out)
    with sole_writer(config.out, "writing"):
        return _visualise(config)


def _visualise(config: VisualiseConfig) -> int:
    names = objective_names() if config.objective == ALL else [str(config.objective)]
    objectives = {name: named_objective(name)() for name in names}
    vocabulary = opened_vocabulary(config.vocabulary)
    network = ModelConfig.named(config.network, vocab_size=vocabulary.padded_size)
    source = open_records(config.source, **({"split": config.split} if config.split else {}))
    console = Console(stderr=True, highlight=False)
    cards = list[ExampleCard]()
    numbers = _numbers(config, len(source))
    examples = Examples(source, objectives, ObjectiveContext(network, vocabulary), config.seed)
    with counted("records", len(numbers), console) as done:
        for count, number in enumerate(numbers, start=1):
            cards += examples.cards(number)
            done(count)
    if not cards:
        raise DatasetError(f"{config.source}: none of {len(numbers)} records suits {', '.join(names)}; raise count")
    facts = {"records": str(len(source)), "objectives": ", ".join(names), "network": config.network}
    write_bytes(config.out, examples_html(Path(config.source).name, facts, cards))
    for problem in examples.problems:
        console.print(f"left out: {problem}", markup=False)
    size = config.out.stat().st_size / 1e6
    console.print(f"{config.out}: {len(cards)} examples of {len(numbers)} records, {size:.1f} MB", markup=False)
    return 0


def _numbers(config: VisualiseConfig, records: int) -> list[int]:
    """The numbers of the records on the page."""
    wrong = [number for number in config.episodes if number >= records]
    if wrong:
        raise DatasetError(f"episodes: {wrong} do not exist; {config.source} has records 0 to {records - 1}")
    return list(config.episodes) or spread(records, config.count)


class Examples:
    """Makes cards of records.

    Args:
        source: the corpus.
        objectives: name -> what is made of each record that suits.
        context: of the network.
        seed: of all draws, with the number of the record.

    Attributes:
        problems: why records were left out.
    """

    def __init__(
        self,
        source: RecordSource,
        objectives: dict[str, ConfiguredObjective[Any]],
        context: ObjectiveContext,
        seed: int,
    ) -> None:
        self._source, self._objectives, self._seed = source, objectives, seed
        rates = [ObjectiveRate(name, objective) for name, objective in objectives.items()]
        self._task = ObjectiveTask(source, rates, context)
        self._processor = Processor(context.config, context.vocabulary)
        self.problems: list[str] = []

    def cards(self, number: int) -> Iterator[ExampleCard]:
        """A card for each objective that suits a record."""
        for name in self._objectives:
            try:
                card = made(self._task, number, lambda index, name=name: self._card(index, name))  # type: ignore[misc]
            except ExampleError as error:
                self.problems.append(f"{name}: {error}")
                continue
            if card is not None:
                yield card

    def _card(self, number: int, name: str) -> ExampleCard | None:
        objective, context = self._objectives[name], self._task.context
        record = self._source.record(number)
        if not objective.suits(record, context):
            return None
        generator = np.random.Generator(np.random.Philox(key=(self._seed, number)))
        example = objective.example(record, context, generator)
        facts = {"record": f"{record.key} (number {number})", "objective": name}
        facts |= {"captions": "; ".join(record.captions)} if record.captions else {}
        return example_card(f"{name}: {record.key}", example, self._processor, generator, facts)
