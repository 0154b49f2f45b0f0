"""The mixture of instruction tuning: rows of the catalogue that can be read here, with the rates of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.annotations import read_annotations
from embodio.datasets.annotations.parts.item import AnnotatedItem
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.augment.heard import HeardChange
from embodio.datasets.augment.tasks import named_task_augmentation
from embodio.datasets.catalogue.held_out import without_last
from embodio.datasets.catalogue.rates import PAPER_KINDS, Rates, rates, trained_rows
from embodio.datasets.catalogue.robot_rows import EpisodesTask, RobotReading, RobotRows
from embodio.datasets.catalogue.rows import EPISODES, CatalogueError, TaskCategory, TaskRow
from embodio.datasets.errors import NoSuchFiles
from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.records.corpora import Corpus
from embodio.datasets.stream.mixture import Mixture, MixtureEntry
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.tasks.parts.annotated_task import AnnotatedTask
from embodio.datasets.tasks.parts.objective_task import ObjectiveTask, rates_of
from embodio.model.processing.audio_features import segment_samples
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.families import family_named

_RECORDS_HELD_OUT = 1000

Task = AnnotatedTask | ObjectiveTask | EpisodesTask


@dataclass(frozen=True)
class InstructionData:
    """The rows that were opened.

    Attributes:
        training: their mixture.
        tasks: name of a row -> its items for training.
        held_out: name of a row -> its items for validation, where it has enough.
        rates: of the rows, and of the categories and kinds that they make.
        missing: name of a row -> why it is not there.
        lost: the share of the stream that the missing rows would have had, which went to the others.
        robots: path of a data set of episodes -> the format of its robot.
    """

    training: Mixture
    tasks: Mapping[str, Task]
    held_out: Mapping[str, Task]
    rates: Rates
    missing: Mapping[str, str] = field(default_factory=dict)
    lost: float = 0.0
    robots: Mapping[str, PolicyFormat] = field(default_factory=dict)


def open_tasks(
    categories: Sequence[TaskCategory],
    root: str | Path,
    trained: ObjectiveContext,
    measured: ObjectiveContext,
    *,
    names: Sequence[str] = (),
    missing: Literal["error", "skip"] = "error",
    kinds: Mapping[str, float] = PAPER_KINDS,
    robots: RobotReading | None = None,
    augment: AugmentConfig | None = None,
) -> InstructionData:
    """Opens the rows that can be read, and mixes them by the number of items that they have.

    Args:
        categories: of the catalogue.
        root: folder below which all data are.
        trained: of the network in training.
        measured: of the network in validation.
        names: rows and categories that are wanted; empty for all.
        missing: what happens where a row cannot be read: "skip" leaves it out, "error" names all such rows.
        kinds: kind of rows -> its share, see `rates`.
        robots: how rows of episodes are read; None leaves them out.
        augment: changes, in training, of the sounds of annotations without pictures; None for none.

    Raises:
        CatalogueError: a name is not in the catalogue, or kinds leave nothing.
        NoSuchFiles: files or readers of rows are missing, or there is nothing to train on.
        AnnotationError, DatasetError: a file is there and cannot be read.
    """
    rows = [row for row in wanted_rows(categories, names) if kinds.get(row.kind, 0)]
    episodes = RobotRows(robots, Path(root), trained.vocabulary) if robots is not None else None
    absent = {row.name: reason for row in rows if (reason := row.missing(root) or _unwritten(row, trained, episodes))}
    there = [row for row in rows if row.name not in absent]
    if absent and (missing == "error" or not there):
        reasons = [f"{name}: {reason}" for name, reason in absent.items()]
        told = "\n".join([f"{len(absent)} of {len(rows)} tasks cannot be read:", *reasons])
        raise NoSuchFiles(f"{told}\nFetch them, see embodio-data tasks NAME, or leave them out with missing=skip")
    tasks, held_out = dict[str, Task](), dict[str, Task]()
    for row in there:
        own, kept = _opened(row, Path(root), trained, measured, episodes, augment or AugmentConfig())
        tasks[row.name] = own
        if kept is not None:
            held_out[row.name] = kept
    found = rates(categories, list(tasks), kinds=kinds, sizes={name: len(task) for name, task in tasks.items()})
    entries = [MixtureEntry(name, tasks[name], share) for name, share in found.rows.items()]
    whole = rates(categories, [row.name for row in rows], kinds=kinds).rows
    lost = sum(whole[name] for name in absent)
    formats = episodes.formats if episodes is not None else {}
    return InstructionData(Mixture(entries, MixtureConfig()), tasks, held_out, found, absent, lost, formats)


def wanted_rows(categories: Sequence[TaskCategory], names: Sequence[str]) -> list[TaskRow]:
    """The rows that train and that are named, or whose category is; all for no names. Raises CatalogueError."""
    rows = trained_rows(categories)
    known = {row.name for row in rows} | {row.category for row in rows}
    if unknown := [name for name in names if name not in known]:
        raise CatalogueError(f"tasks: {', '.join(unknown)} are neither tasks that train nor categories")
    return [row for row in rows if not names or row.name in names or row.category in names]


def _unwritten(row: TaskRow, context: ObjectiveContext, episodes: RobotRows | None) -> str:
    """Why the network cannot learn a row; empty where it can."""
    if not row.family:
        return ""
    if row.format == EPISODES and episodes is None:
        return "episodes need the format of a policy"
    modality = family_named(row.family).modality
    return "" if modality in context.config.target_modalities else f"the network does not write {modality}"


def _opened(
    row: TaskRow,
    root: Path,
    trained: ObjectiveContext,
    measured: ObjectiveContext,
    episodes: RobotRows | None,
    augment: AugmentConfig,
) -> tuple[Task, Task | None]:
    """The items of a row for training and for validation; None where there are too few."""
    if not row.family:
        return _records(row, root, "train", trained), _records(row, root, "validation", measured)
    if row.format == EPISODES and episodes is not None:
        return episodes.open(row)

    def items(path: str, media: str) -> Sequence[AnnotatedItem]:
        return read_annotations(row.format, root / path, root / media, family_named(row.read_as), row.settings)

    augmentation = named_task_augmentation(row.augmentation) if row.augmentation else None

    def task(path: str, found: Sequence[AnnotatedItem], numbers: range, context: ObjectiveContext) -> AnnotatedTask:
        codec, style = TaskCodec.of(context.config, context.vocabulary), row.prompts.partition("/")[2]
        family = family_named(row.family)
        heard = HeardChange(augment, segment_samples(context.config.audio_size[0]))
        return AnnotatedTask(row.name, root / path, found, family, codec, style, augmentation, numbers, heard)

    own = items(row.path, row.media)
    if row.validation:
        whole = task(row.path, own, range(len(own)), trained)
        if not (root / row.validation).exists():
            return whole, None
        kept = items(row.validation, row.validation_media or row.media)
        return whole, task(row.validation, kept, range(len(kept)), measured)
    first, rest = without_last(len(own))
    return task(row.path, own, first, trained), task(row.path, own, rest, measured) if rest else None


def _records(row: TaskRow, root: Path, split: str, context: ObjectiveContext) -> ObjectiveTask:
    """The records of a row with objectives; one in a thousand is kept for validation where the row names none."""
    corpus = Corpus(
        name=row.name,
        group=row.category,
        rate=row.rate,
        path=row.validation if row.validation and split == "validation" else row.path,
        title=row.title,
        origin=row.origin,
        licence=row.licence,
        format=row.format,
        settings=row.settings,
        held_out=0 if row.validation else _RECORDS_HELD_OUT,
    )
    drawn = {name: (named_objective(name)(), rate) for name, rate in row.objectives.items()}
    return ObjectiveTask(corpus.open(root, split), rates_of(row.name, drawn), context)
