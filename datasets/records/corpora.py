"""Corpora: the sources of a pre-training mixture, as a config says, and the Mixture that they make.

A config is a YAML file of `datasets/catalogue/corpora` or of your own. Sources belong to groups, such as "text"; a
source that is left out gives its rate to the others of its group, and a group without any to the other groups.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from embodio.datasets.errors import CorruptRecordError, DatasetError, ExampleError, NoSuchFiles, UnusableRecord
from embodio.datasets.files.remote import is_url
from embodio.datasets.objectives import named_objective
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveContext
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Record, RecordSource
from embodio.datasets.stream.mixture import Mixture, MixtureEntry, checked_weight
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.tasks.parts.objective_task import ObjectiveRate, ObjectiveTask, rates_of
from embodio.datasets.tasks.parts.record_task import Place, spread

FOLDER = Path(__file__).resolve().parents[1] / "catalogue" / "corpora"
_KEYS = {"name", "title", "groups", "sources"}
_GROUP_KEYS = {"rate", "objectives"}
_LOOKED_AT = 16  # records of a source, before training
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One source of a mixture.

    Attributes:
        name: of the source.
        group: it belongs to.
        rate: its share of the group, up to a common factor of the group.
        path: of its files below the root of all data; may be a pattern.
        title: what it is.
        origin: where it is published, or which command makes it.
        licence: of the data.
        format: the reader; "" for the one that recognises the files.
        settings: of `RecordSettings`, but the reader and the split.
        objectives: name -> rate among those that suit a record; empty for those of the group.
        held_out: of a source without a split for validation, every record of this number is kept for it; 0 where the
            files are split.
        ships: whether weights trained on it may be passed on.
        note: what a reader should know.
    """

    name: str
    group: str
    rate: float
    path: str
    title: str
    origin: str
    licence: str
    format: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    objectives: Mapping[str, float] = field(default_factory=dict)
    held_out: int = 0
    ships: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        """Checks the numbers; raises DatasetError."""
        checked_weight(self.name, self.rate)
        if self.held_out != 0 and self.held_out not in range(2, 1_000_001):
            raise DatasetError(f"{self.name}.held_out: got {self.held_out}, expected 0, or 2 to a million")

    def open(self, root: str | Path, split: str) -> RecordSource:
        """The records of a split.

        Args:
            root: folder or URL below which all corpora are.
            split: "train" or "validation".

        Raises:
            NoSuchFiles: the path does not exist; names the source and where it comes from.
            DatasetError: as `open_records`.
        """
        place = f"{str(root).rstrip('/')}/{self.path}"
        settings = dict(self.settings) | {"reader": self.format}
        if not self.held_out:
            settings["split"] = split
        try:
            source = open_records(place if is_url(place) else str(Path(place)), **settings)
        except NoSuchFiles as error:
            raise NoSuchFiles(f"{self.name}: {error}. It comes from {self.origin} ({self.licence})") from error
        return HeldOut(source, self.held_out, split) if self.held_out else source


class HeldOut:
    """The records of a source for training, or those that are kept for validation: every n-th one.

    Args:
        source: all of them.
        every: n.
        split: "train" or "validation".
    """

    def __init__(self, source: RecordSource, every: int, split: str) -> None:
        if split not in ("train", "validation"):
            raise DatasetError(f"split: got {split!r}; {source.name} is divided into train and validation")
        self._source, self._every, self._split = source, every, split

    @property
    def name(self) -> str:
        """For messages and logs."""
        return f"{self._source.name} {self._split}"

    @property
    def digest(self) -> str:
        """SHA-256 of that of the source, and of the division."""
        return hashlib.sha256(f"{self._source.digest} {self._every} {self._split}".encode()).hexdigest()

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Those of the source."""
        return tuple(getattr(self._source, "damaged", ()))

    def __len__(self) -> int:
        """Records of the split."""
        kept = len(self._source) // self._every
        return kept if self._split == "validation" else len(self._source) - kept

    def record(self, index: int) -> Record:
        """Record `index` of the split."""
        return self._source.record(self._number(index))

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return self._source.place(self._number(index))

    def _number(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index} of {self.name}: there are {len(self)}")
        if self._split == "validation":
            return (index + 1) * self._every - 1
        return index + index // (self._every - 1)


@dataclass(frozen=True, kw_only=True)
class Corpora:
    """The sources of a mixture.

    Attributes:
        name: of the config.
        title: what it is.
        groups: name -> rate.
        sources: in the order of the config.
    """

    name: str
    title: str
    groups: Mapping[str, float]
    sources: tuple[Corpus, ...]

    @classmethod
    def load(cls, name_or_path: str | Path) -> Corpora:
        """Reads a config of the catalogue by its name, or any YAML file.

        Raises:
            DatasetError: there is no such config, or it is not as this module says.
        """
        path = FOLDER / f"{name_or_path}.yaml"
        if not path.is_file():
            path = Path(name_or_path)
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            known = ", ".join(corpora_names())
            raise DatasetError(f"corpora: {name_or_path} is neither a file nor one of {known}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise DatasetError(f"{path} is not YAML: {error}") from error
        return cls.of(content, path)

    @classmethod
    def of(cls, content: Any, path: Path) -> Corpora:
        """Makes it of parsed YAML; `path` is for errors."""
        groups = _mapping(content, path, "the config", _KEYS).get("groups")
        groups = {name: _mapping(group, path, f"groups.{name}", _GROUP_KEYS) for name, group in _items(groups, path)}
        sources = []
        for name, entry in _items(content.get("sources"), path):
            values = dict(_mapping(entry, path, f"sources.{name}", None))
            group = values.get("group")
            if group not in groups:
                raise DatasetError(f"{path}: sources.{name}.group: got {group!r}, expected one of {', '.join(groups)}")
            objectives = values.get("objectives") or groups[str(group)].get("objectives") or {}
            values["objectives"] = _numbers(objectives, path, f"sources.{name}.objectives")
            if "rate" in values:
                values["rate"] = _number(values["rate"], path, f"sources.{name}.rate")
            values["settings"] = _mapping(values.get("settings") or {}, path, f"sources.{name}.settings", None)
            try:
                sources.append(Corpus(name=name, **values))
            except TypeError as error:
                raise DatasetError(f"{path}: sources.{name}: {error}") from error
        empty = sorted(set(groups) - {source.group for source in sources})
        if empty:
            raise DatasetError(f"{path}: groups without sources: {', '.join(empty)}")
        given = {name: _number(group.get("rate", 0), path, f"groups.{name}.rate") for name, group in groups.items()}
        rates = {name: checked_weight(f"groups.{name}", rate) for name, rate in given.items()}
        title = str(content.get("title", ""))
        return cls(name=str(content.get("name", path.stem)), title=title, groups=rates, sources=tuple(sources))

    def shippable(self) -> Corpora:
        """Without the sources on which weights to be passed on may not be trained, and groups that are then empty.

        Raises:
            DatasetError: nothing is left.
        """
        sources = tuple(source for source in self.sources if source.ships)
        if not sources:
            raise DatasetError(f"{self.name}: none of its sources ships; leave shippable=true out")
        return replace(self, groups=self._group_rates(sources), sources=sources)

    def shares(self, names: Sequence[str] | None = None) -> dict[str, float]:
        """The share of each source in the stream, sum 1; of some of them, if the others are left out."""
        there = [source for source in self.sources if names is None or source.name in names]
        groups = self._group_rates(there)
        within = {group: sum(s.rate for s in there if s.group == group) for group in groups}
        total = sum(groups.values())
        return {s.name: groups[s.group] / total * s.rate / within[s.group] for s in there}

    def mixture(
        self,
        root: str | Path,
        context: ObjectiveContext,
        *,
        split: str = "train",
        missing: Literal["error", "skip"] = "error",
        objectives: Mapping[str, ConfiguredObjective[Any]] | None = None,
    ) -> Mixture:
        """Opens all sources; the entries of the mixture have their names, its categories are the groups.

        Args:
            root: folder or URL below which all corpora are.
            context: of the network.
            split: "train" or "validation".
            missing: what happens where files of a source are missing: "skip" leaves it out, and logs which, and what
                the rates are then.
            objectives: those with settings of their own; their weight multiplies the rate of the config, and those of
                weight 0 are left out. Others have their default settings.

        Raises:
            NoSuchFiles: files of a source are missing, or suit none of its objectives with this network; names all
                such sources.
            DatasetError: a source cannot be opened, or nothing is left.
        """
        if missing not in ("error", "skip"):
            raise DatasetError(f"missing: got {missing!r}, expected error or skip")
        tasks, absent = self.tasks(root, context, split=split, objectives=objectives)
        found = [(source, tasks[source.name]) for source in self.sources if source.name in tasks]
        if absent and (missing == "error" or not found):
            told = "\n".join([f"{len(absent)} of {len(self.sources)} sources are missing:", *absent.values()])
            raise NoSuchFiles(f"{told}\nFetch or make them, or leave them out with missing=skip")
        self._say(absent, [source.name for source, _ in found])
        entries = [MixtureEntry(source.name, task, source.rate, source.group) for source, task in found]
        return Mixture(entries, MixtureConfig(categories=self._group_rates([source for source, _ in found])))

    def tasks(
        self,
        root: str | Path,
        context: ObjectiveContext,
        *,
        split: str,
        objectives: Mapping[str, ConfiguredObjective[Any]] | None = None,
    ) -> tuple[dict[str, ObjectiveTask], dict[str, str]]:
        """The tasks of the sources that are there, and what is wrong with those that are missing, both by name.

        Arguments as for `mixture`; raises DatasetError if a source is there but cannot be opened.
        """
        found, absent = dict[str, ObjectiveTask](), dict[str, str]()
        for source in self.sources:
            try:
                records = source.open(root, split)
            except NoSuchFiles as error:
                absent[source.name] = str(error)
                continue
            task = ObjectiveTask(records, _rates(source, objectives or {}), context)
            if not len(records):
                absent[source.name] = f"{source.name}: there are no records in {source.path}"
            elif not _suits(task):
                names = ", ".join(one.name for one in task.objectives)
                absent[source.name] = f"{source.name}: its records and this network suit none of {names}"
            else:
                found[source.name] = task
        return found, absent

    def _group_rates(self, sources: Sequence[Corpus]) -> dict[str, float]:
        """The rates of the groups to which some sources belong."""
        return {group: rate for group, rate in self.groups.items() if any(one.group == group for one in sources)}

    def _say(self, absent: Mapping[str, str], there: Sequence[str]) -> None:
        """Logs what is left out, and the shares of the others before and after."""
        for reason in absent.values():
            _log.warning("left out: %s", reason)
        if absent:
            before, after = self.shares(), self.shares(there)
            changes = ", ".join(f"{name} {before[name]:.2%} -> {after[name]:.2%}" for name in there)
            lost = 1 - np.sum([before[name] for name in there])
            _log.warning("%.1f %% of the stream went to the others: %s", 100 * lost, changes)


def corpora_names() -> tuple[str, ...]:
    """The configs of the catalogue."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def _rates(source: Corpus, configured: Mapping[str, ConfiguredObjective[Any]]) -> list[ObjectiveRate]:
    """The objectives of a source; errors as `rates_of`."""
    found = dict[str, tuple[ConfiguredObjective[Any], float]]()
    for name, rate in source.objectives.items():
        objective = configured[name] if name in configured else named_objective(name)()
        found[name] = objective, rate * objective.config.weight
    return rates_of(source.name, found)


def _suits(task: ObjectiveTask) -> bool:
    """Whether an objective suits one of some records from across a source, if any can be read."""
    for index in spread(len(task), _LOOKED_AT):
        try:
            record = task.source.record(index)
            task.draw(index, record, np.random.default_rng(0))
        except UnusableRecord:
            continue
        except CorruptRecordError:  # which the stream counts
            return True
        return True
    return False


def _number(value: Any, path: Path, where: str) -> float:
    """A number of a config; YAML takes 1e-3 for a word, which counts as the number that it is."""
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    raise DatasetError(f"{path}: {where}: got {value!r}, expected a number")


def _numbers(value: Any, path: Path, where: str) -> dict[str, float]:
    named = _mapping(value, path, where, None)
    return {str(name): _number(one, path, f"{where}.{name}") for name, one in named.items()}


def _mapping(value: Any, path: Path, where: str, keys: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DatasetError(f"{path}: {where} must have named values, found {type(value).__name__}")
    unknown = sorted(set(map(str, value)) - keys) if keys is not None else []
    if unknown:
        raise DatasetError(f"{path}: {where}: {', '.join(unknown)} unknown; there are {', '.join(sorted(keys or ()))}")
    return value


def _items(value: Any, path: Path) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        raise DatasetError(f"{path}: groups and sources must be given, by name")
    return [(str(name), one) for name, one in value.items()]
