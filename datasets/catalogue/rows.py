"""Rows of the catalogue of instruction tuning: one for each task and source, in a YAML file for each category.

A file of `datasets/catalogue/tasks`, or of a folder of your own:

    title: questions about images
    group: image understanding
    share: 6.23
    inputs: [text, image]
    outputs: [text]
    tasks:
      vqa_v2: {family: answer_question, prompts: plain, format: vqa, path: vqa/..., size: 443757, ...}

`share` is in percent of the whole stream. A row says what it is in `TaskRow`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from embodio.datasets.annotations import annotation_formats, families_of_format
from embodio.datasets.augment.tasks import named_task_augmentation
from embodio.datasets.catalogue.kinds import KINDS, MODALITIES
from embodio.datasets.errors import DatasetError
from embodio.datasets.metrics import metric_names, named_metric
from embodio.datasets.objectives import named_objective
from embodio.datasets.records.opening import record_readers
from embodio.datasets.tasks import named_task, task_names
from embodio.model.errors import ModelError
from embodio.model.tasks import Prompts
from embodio.model.tasks.families import family_named

TASKS = Path(__file__).resolve().parent / "tasks"
"""The folder of the rows that ship."""

EPISODES = "episodes"
"""The format of rows whose data are episodes of robots; a task of `embodio.datasets.tasks` makes their examples."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml is ten times faster; it is there where PyYAML was built with it."""


class CatalogueError(DatasetError):
    """A file of the catalogue is wrong; the message names the file, the row and the field, and what to write."""


@dataclass(frozen=True, kw_only=True)
class TaskRow:
    """One task on one source.

    Attributes:
        name: of the row, unique in the catalogue.
        category: name of its category, that of its file.
        title: what it is.
        family: of tasks, see `embodio.model.tasks.families`; empty for rows with objectives.
        prompts: group of wordings of the family by which it is asked; empty for rows with objectives.
        objectives: of pre-training -> rate, for records without annotations; empty for rows with a family.
        format: reader of its files: a module of `embodio.datasets.annotations`, which may not exist yet; for rows with
            objectives a reader of records.
        path: of the annotations below the root of all data; may be a pattern for rows with objectives.
        media: folder of pictures, sounds and videos below the root.
        validation: path below the root of items for validation; empty keeps the last ones of `path` for it.
        validation_media: folder of their media below the root; empty for `media`.
        settings: further settings of the reader by name.
        origin: where the data are published.
        licence: of the data; "not verified" where none was found.
        split: that is trained on, or measured with.
        size: items of the split; None where no number was found.
        kind: one of KINDS.
        augmentation: of `embodio.datasets.augment.tasks` that makes annotations of the family out of those that are
            read; empty for none.
        rate: factor by which it is drawn more or less often than the square root of its size says.
        cap: largest size that counts, for noisy data; None for no limit.
        trains: whether it is part of the mixture; rows that do not are only measured.
        metrics: names of the metrics by which answers are judged; empty for rows with objectives.
        inputs: modalities that are given; those of the category unless the row has others.
        outputs: modalities that are written; likewise.
        source: what confirms the row: parts of the paper, prompt groups of its public code, documentation.
        note: what a reader should know.
    """

    name: str
    category: str
    title: str
    format: str
    path: str
    origin: str
    licence: str
    split: str
    source: tuple[str, ...]
    family: str = ""
    prompts: str = ""
    objectives: Mapping[str, float] = field(default_factory=dict)
    media: str = ""
    validation: str = ""
    validation_media: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None
    kind: str = "prompted"
    augmentation: str = ""
    rate: float = 1.0
    cap: int | None = None
    trains: bool = True
    metrics: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    note: str = ""

    @property
    def read_as(self) -> str:
        """The family of the annotations in its files: its own, or the one that its augmentation takes."""
        return named_task_augmentation(self.augmentation).takes[0] if self.augmentation else self.family

    @property
    def opens(self) -> bool:
        """Whether there is a reader of its format, for its family."""
        if not self.family:
            return True
        if self.format == EPISODES:
            return bool(robot_task(self))
        if self.format not in annotation_formats():
            return False
        families = families_of_format(self.format)
        return not families or self.read_as in families

    def files(self, root: str | Path) -> list[Path]:
        """The files or folders that `path` names below a root; empty where there are none."""
        place = Path(root) / self.path
        if any(sign in self.path for sign in "*?["):
            return sorted(Path(root).glob(self.path))
        return [place] if place.exists() else []

    def missing(self, root: str | Path) -> str:
        """Why the row cannot be read below a root; empty where it can."""
        if not self.opens:
            return f"there is no reader of {self.format} for {self.read_as} yet"
        return "" if self.files(root) else f"{Path(root) / self.path} does not exist"


def robot_task(row: TaskRow) -> str:
    """The robot task that makes examples of a row of episodes; empty where there is none."""
    name = str(row.settings.get("task", row.family))
    if name in task_names():
        return name
    alike = [one for one in task_names() if getattr(named_task(one), "family", None) is not None]
    return next((one for one in alike if named_task(one).family.name == name), "")


@dataclass(frozen=True)
class TaskCategory:
    """A category of tasks, one file.

    Attributes:
        name: of the file.
        title: what it is.
        group: of categories, such as "image understanding".
        share: of the stream, in percent.
        rows: its tasks, in the order of the file.
    """

    name: str
    title: str
    group: str
    share: float
    rows: tuple[TaskRow, ...]


def catalogue_folder(name: str) -> Path:
    """The folder of a catalogue.

    Args:
        name: "" for the paper's tasks, "nano" for those over the corpus of this machine, or a folder.
    """
    shipped = TASKS.parent / f"tasks_{name}"
    if not name:
        return TASKS
    return shipped if name.isidentifier() and shipped.is_dir() else Path(name)


@lru_cache(maxsize=4)
def read_catalogue(folder: Path = TASKS) -> tuple[TaskCategory, ...]:
    """The categories of a folder; groups with larger shares first, and categories of a group likewise.

    Raises:
        CatalogueError: the folder has no files, a file is not as this module says, or two rows have one name.
    """
    found = [read_category(file) for file in sorted(folder.glob("*.yaml"))]
    if not found:
        raise CatalogueError(f"{folder}: there are no categories; expected YAML files with the key tasks")
    owners: dict[str, str] = {}
    for category in found:
        for row in category.rows:
            if row.name in owners:
                file = folder / f"{category.name}.yaml"
                raise CatalogueError(f"{file}: tasks.{row.name}: {owners[row.name]}.yaml has a row of this name too")
            owners[row.name] = category.name
    groups: dict[str, float] = {}
    for category in found:
        groups[category.group] = groups.get(category.group, 0.0) + category.share
    return tuple(sorted(found, key=lambda one: (-groups[one.group], one.group, -one.share, one.name)))


def find_row(categories: Sequence[TaskCategory], name: str) -> TaskRow:
    """The row of a name; raises CatalogueError with the nearest names."""
    known = {row.name: row for category in categories for row in category.rows}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "embodio-data tasks rows=true lists them"
        raise CatalogueError(f"the catalogue has no task {name!r}; {hint}")
    return known[name]


def read_category(file: Path) -> TaskCategory:
    """The category of one file; raises CatalogueError."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CatalogueError(f"{file}: not a readable YAML file: {error}") from error
    _require_keys(content, {"title", "group", "share", "inputs", "outputs", "tasks"}, f"{file}")
    share, tasks = content["share"], content["tasks"]
    if not isinstance(share, int | float) or not 0 < share <= 100:
        raise CatalogueError(f"{file}: share: got {share!r}, expected percent above 0")
    if not isinstance(tasks, dict) or not tasks:
        raise CatalogueError(f"{file}: tasks: expected at least one row, found {tasks!r}")
    shared = {key: content[key] for key in ("inputs", "outputs")}
    rows = tuple(_row(str(name), values, shared, file) for name, values in tasks.items())
    return TaskCategory(file.stem, str(content["title"]), str(content["group"]), float(share), rows)


def _require_keys(values: Any, expected: set[str], where: str, optional: frozenset[str] = frozenset()) -> None:
    if not isinstance(values, dict):
        raise CatalogueError(f"{where}: expected the keys {', '.join(sorted(expected))}, found {values!r}")
    for name in values.keys() - expected - optional:
        near = difflib.get_close_matches(str(name), expected | optional, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(expected | optional))}"
        raise CatalogueError(f"{where}.{name}: unknown key; {hint}")
    if absent := expected - values.keys():
        raise CatalogueError(f"{where}: it lacks {', '.join(sorted(absent))}")


def _row(name: str, values: Any, shared: Mapping[str, Any], file: Path) -> TaskRow:
    """One row; raises CatalogueError that names the field."""
    where = f"{file}: tasks.{name}"
    own = [one for one in fields(TaskRow) if one.name not in ("name", "category")]
    needed = {one.name for one in own if one.default is MISSING and one.default_factory is MISSING} | {"size"}
    _require_keys(values, needed, where, frozenset(one.name for one in own))
    given = dict(shared) | values
    for key in ("source", "metrics", "inputs", "outputs"):
        if not isinstance(given.get(key, []), list) or not all(isinstance(one, str) for one in given.get(key, [])):
            raise CatalogueError(f"{where}.{key}: got {given[key]!r}, expected a list of texts")
        given[key] = tuple(given.get(key, ()))
    for one in own:
        if one.type == "str" and not isinstance(given.get(one.name, ""), str):
            raise CatalogueError(f"{where}.{one.name}: got {given[one.name]!r}, expected a text")
    row = TaskRow(name=name, category=file.stem, **given)
    _check_numbers(row, where)
    _check_names(row, where)
    return row


def _check_numbers(row: TaskRow, where: str) -> None:
    for key in ("size", "cap"):
        value = getattr(row, key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise CatalogueError(f"{where}.{key}: got {value!r}, expected a whole number of items, or null")
    if isinstance(row.rate, bool) or not isinstance(row.rate, int | float) or not row.rate > 0:
        raise CatalogueError(f"{where}.rate: got {row.rate!r}, expected a number above 0")
    if not isinstance(row.trains, bool):
        raise CatalogueError(f"{where}.trains: got {row.trains!r}, expected true or false")
    if not row.source:
        raise CatalogueError(f"{where}.source: say what confirms the row")


def _check_names(row: TaskRow, where: str) -> None:
    """Checks what a row refers to: kind, modalities, family, wordings, metrics, objectives and format."""
    _require_known(row.kind, KINDS, f"{where}.kind")
    for key in ("inputs", "outputs"):
        for one in getattr(row, key) or ("",):
            _require_known(one, MODALITIES, f"{where}.{key}")
    if bool(row.family) == bool(row.objectives):
        raise CatalogueError(f"{where}.family: give a family, or objectives for records without annotations")
    checks: list[tuple[str, Any]] = []
    if row.family:
        checks += [("family", lambda: family_named(row.family))]
        checks += [("prompts", lambda: Prompts()[f"{family_named(row.family).name}.{row.prompts}"])]
        checks += [("metrics", lambda one=one: named_metric(one)) for one in row.metrics if one not in _metrics()]
        if row.augmentation:
            checks += [("augmentation", lambda: _require_made(row))]
        if not row.format.isidentifier():
            raise CatalogueError(f"{where}.format: got {row.format!r}, expected the name of a module, such as coco")
    else:
        checks += [(f"objectives.{one}", lambda one=one: named_objective(one)) for one in row.objectives]
        _require_known(row.format, _record_formats(), f"{where}.format")
    for key, check in checks:
        try:
            check()
        except (DatasetError, ModelError) as error:
            raise CatalogueError(f"{where}.{key}: {error}") from error


def _require_made(row: TaskRow) -> None:
    """Raises DatasetError unless the augmentation of a row makes annotations of its family."""
    found = named_task_augmentation(row.augmentation)
    if (found.gives or row.read_as) != row.family:
        raise CatalogueError(f"it makes annotations of {found.gives or row.read_as}, not of {row.family}")


@cache
def _record_formats() -> tuple[str, ...]:
    return tuple(one.kind for one in record_readers())


@cache
def _metrics() -> tuple[str, ...]:
    return tuple(metric_names())


def _require_known(value: str, known: Sequence[str], where: str) -> None:
    if value not in known:
        raise CatalogueError(f"{where}: got {value!r}, expected one of {', '.join(known)}")
