"""Answerer: opens model and items when they are needed, answers items and measures the answers, here or in workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from embodio.benchmarks.evaluation.answers import AnsweredItem
from embodio.benchmarks.evaluation.runner import Runner, answers_of, function_of, open_runner
from embodio.benchmarks.evaluation.suite import read_suite
from embodio.datasets.annotations.parts.item import AnnotatedItem
from embodio.datasets.annotations.parts.values import digest_of
from embodio.datasets.engines import named_engine
from embodio.datasets.errors import AnnotationError
from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.embedding import EmbeddingMetric
from embodio.datasets.metrics.parts.metric import Metric
from embodio.model.tasks.errors import AnswerError

Job = tuple[str, Sequence[int]]
"""A task, and the numbers of some of its items."""


@dataclass(frozen=True)
class AnswererConfig:
    """Everything that decides what an answer is, and where it is computed.

    Attributes:
        suite: name or path of the suite.
        data: folder of its files; None for that of the suite.
        model: see `open_runner`.
        vocabulary: see `open_runner`.
        device: where the network runs.
        embed: module:function that gives the features of media; empty for none.
        batch: items answered at once.
        seed: of the first item; item i is sampled with seed + i.
        threads: of the network.
    """

    suite: str
    data: Path | None
    model: str
    vocabulary: str
    device: str
    embed: str
    batch: int
    seed: int
    threads: int


class Answerer:
    """Answers items of a suite by their numbers.

    Args:
        config: what to answer.
        runner: what answers; None opens the model of the config when it is needed.

    Raises:
        BenchmarkError: the suite, or the function `embed`, is not there.
    """

    def __init__(self, config: AnswererConfig, runner: Runner | None = None) -> None:
        self._config, self._runner = config, runner
        self.suite = read_suite(config.suite)
        self._folder = self.suite.folder if config.data is None else config.data
        self.tasks = {task.name: task for task in self.suite.tasks}
        self._embed = function_of("embed", config.embed) if config.embed else None
        self._items: dict[str, Sequence[AnnotatedItem]] = {}

    def file(self, task: str) -> Path:
        """The file of annotations of a task."""
        return self._folder / self.tasks[task].file

    def items(self, task: str) -> Sequence[AnnotatedItem]:
        """The items of a task; raises AnnotationError."""
        if task not in self._items:
            self._items[task] = self.tasks[task].items(self._folder)
        return self._items[task]

    def answers(self, task: str, numbers: Sequence[int], truths: Sequence[Any]) -> list[Any]:
        """The answers to items, given their numbers and annotations, batch by batch.

        Raises:
            BenchmarkError, ModelError: the model cannot be opened.
        """
        if self._runner is None:
            self._runner = self._opened()
        found: list[Any] = []
        for start in range(0, len(numbers), self._config.batch):
            part = slice(start, start + self._config.batch)
            seeds = [self._config.seed + number for number in numbers[part]]
            found += answers_of(self._runner, self.tasks[task], truths[part], seeds)
        return found

    def measured(self, task: str, numbers: Sequence[int]) -> list[AnsweredItem]:
        """Answers items, those whose media are not missing, and measures the answers; raises MetricError too."""
        found: dict[int, AnsweredItem] = {}
        truths: dict[int, Any] = {}
        for number in numbers:
            item = self.items(task)[number]
            try:
                truths[number] = item.make()
            except AnnotationError as error:
                found[number] = AnsweredItem(item.key, item.group, "", {}, parts=item.parts, missing=str(error))
        digests = [digest_of(truth) for truth in truths.values()]
        answers = self.answers(task, list(truths), list(truths.values()))
        for (number, truth), digest, answer in zip(truths.items(), digests, answers, strict=True):
            found[number] = self._measured(task, self.items(task)[number], digest, answer, truth)
        return [found[number] for number in numbers]

    def _measured(self, task: str, item: AnnotatedItem, digest: str, answer: Any, truth: Any) -> AnsweredItem:
        """One answer, measured by all metrics of the task."""
        wrong = answer if isinstance(answer, AnswerError) else None
        own = None if wrong is not None else answer
        measures = {name: self._metric(name).measure(own, truth) for name in self.tasks[task].measured_by}
        unreadable = "" if wrong is None else str(wrong)
        return AnsweredItem(item.key, item.group, digest, measures, unreadable, item.parts)

    def _metric(self, name: str) -> Metric[Any]:
        metric = named_metric(name)
        if isinstance(metric, EmbeddingMetric) and self._embed is not None:
            return metric.using(self._embed)
        return metric

    def _opened(self) -> Runner:
        import torch

        config = self._config
        torch.set_num_threads(config.threads)
        return open_runner(config.model, config.vocabulary, config.device, config.batch)


def answer_jobs(answerer: Answerer, jobs: Sequence[Job]) -> Iterator[tuple[str, list[AnsweredItem]]]:
    """Answers jobs in this process; yields the task of each with its items."""
    for task, numbers in jobs:
        yield task, answerer.measured(task, numbers)


def answer_in_workers(
    config: AnswererConfig, jobs: Sequence[Job], workers: int, engine: str
) -> Iterator[tuple[str, list[AnsweredItem]]]:
    """Answers jobs in several processes or on several machines, each with a network of its own.

    Args:
        config: what to answer; on other machines, its folders must be there too.
        jobs: to be done.
        workers: processes of this machine.
        engine: who answers, see `embodio.datasets.engines`.

    Raises:
        EngineError: a process or a machine died without an answer, or there is no such engine.
    """
    for number, rows in named_engine(engine)(partial(_answer, config), jobs, workers):
        yield jobs[number][0], rows


@lru_cache(maxsize=1)
def _answerer(config: AnswererConfig) -> Answerer:
    """The answerer of this process; it takes seconds to open a network, so it is kept for the next job."""
    return Answerer(config)


def _answer(config: AnswererConfig, job: Job) -> list[AnsweredItem]:
    return _answerer(config).measured(*job)
