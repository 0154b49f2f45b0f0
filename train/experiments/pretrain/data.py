"""The data of a pre-training run: records of a corpus, the objectives drawn for them, and their mixture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from embodio.agent.format.robot_formats import RobotFormats
from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.corpora import Corpora
from embodio.datasets.records.opening import open_records
from embodio.datasets.stream.mixture import Mixture, MixtureEntry
from embodio.datasets.tasks.parts.objective_task import ObjectiveTask, rates_of
from embodio.datasets.tasks.parts.record_task import RecordTask
from embodio.train.experiments.pretrain.config import PretrainConfig


@dataclass(frozen=True)
class StageData:
    """Opened sources.

    Attributes:
        training: their mixture.
        held_out: name of a source -> its validation split, where it has one.
        rates: name of a source -> its share of the stream.
        identity: name of a source -> what is compared when the run resumes.
        notes: about the sources, shown before training.
        robots: the robots that the network learns to act for; None for none.
    """

    training: Mixture
    held_out: Mapping[str, RecordTask]
    rates: Mapping[str, float]
    identity: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]
    robots: RobotFormats | None = None


def gather(config: PretrainConfig, trained: ObjectiveContext, measured: ObjectiveContext) -> StageData:
    """Opens all sources.

    Args:
        config: settings of the run.
        trained: of the network in training.
        measured: of the network in validation.

    Raises:
        DatasetError: a source is absent, damaged or empty, or rates make no sense.
    """
    if config.corpora:
        return _of_corpora(config, trained, measured)
    tasks = {name: _task(config, name, "train", trained) for name, one in config.sources.items() if one.weight}
    held_out, notes = dict[str, ObjectiveTask](), list[str]()
    for name in tasks:
        try:
            held_out[name] = _task(config, name, "validation", measured)
        except DatasetError as error:
            notes.append(f"{name} is not measured: {error}")
    entries = [
        MixtureEntry(name, task, config.sources[name].weight, config.sources[name].category or name)
        for name, task in tasks.items()
    ]
    return _gathered(Mixture(entries, config.mixture.config()), held_out, notes)


def _of_corpora(config: PretrainConfig, trained: ObjectiveContext, measured: ObjectiveContext) -> StageData:
    """The sources of `config.corpora`; errors as in `gather`."""
    corpora = Corpora.load(config.corpora)
    if config.shippable:
        corpora = corpora.shippable()
    objectives = {name: named_objective(name)(settings) for name, settings in config.objectives.items()}
    training = corpora.mixture(config.data, trained, missing=config.missing, objectives=objectives)  # type: ignore[arg-type]
    tasks, absent = corpora.tasks(config.data, measured, split="validation", objectives=objectives)
    names = [entry.name for entry in training.entries]
    notes = [f"{name} is not measured: {absent[name]}" for name in names if name in absent]
    return _gathered(training, {name: tasks[name] for name in names if name in tasks}, notes)


def _gathered(training: Mixture, held_out: Mapping[str, ObjectiveTask], notes: list[str]) -> StageData:
    tasks = {entry.name: entry.task for entry in training.entries if isinstance(entry.task, ObjectiveTask)}
    rates = dict(zip(tasks, training.rates().tolist(), strict=True))
    notes += [f"{rates[name]:7.2%} {name}: {len(task)} records" for name, task in tasks.items()]
    identity = {name: {"records": len(task), "sha256": task.digest} for name, task in tasks.items()}
    return StageData(training, held_out, rates, identity, tuple(notes))


def _task(
    config: PretrainConfig, name: str, split: Literal["train", "validation"], context: ObjectiveContext
) -> ObjectiveTask:
    """The records of a split of a source, with the objectives that are drawn for them."""
    wanted = config.sources[name].objectives or tuple(config.objectives)
    settings = {one: config.objectives[one] for one in wanted}
    rates = rates_of(name, {one: (named_objective(one)(own), own.weight) for one, own in settings.items()})
    return ObjectiveTask(open_records(config.place(name), split=split), rates, context)
