"""Errors of data sets: one base class, and one class for each kind of remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

_SHOWN = 120  # characters of a name in an error
WHOLE = -1
"""The step of an ExampleError that is about a whole record rather than a step of an episode."""


class DatasetError(Exception):
    """A data set cannot be read, written or collected; the message says what to do."""


class NoSuchFiles(DatasetError):
    """The files of a data set are not where they are expected."""


class _Detailed(DatasetError):
    """An error that pickles with all its arguments, so that it survives the way out of a worker process."""

    _arguments: tuple[Any, ...]

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        return type(self), self._arguments


class CorruptRecordError(_Detailed):
    """A record file is damaged or cut off.

    Attributes:
        path: the file, or its URL.
        record: index of the first bad record in that file.
    """

    def __init__(self, path: Path | str, record: int, problem: str, remedy: str) -> None:
        super().__init__(f"{path}, record {record}: {problem}. {remedy}")
        self.path = path
        self.record = record
        self._arguments = (path, record, problem, remedy)


class UnusableRecord(_Detailed):
    """A record is intact, but there is nothing in it to learn, or it is beyond a limit of the settings: it is skipped.

    Attributes:
        source: name of the data set.
        record: its number in it.
    """

    def __init__(self, source: str, record: int, problem: str) -> None:
        super().__init__(f"{source}, record {record}: {problem}")
        self.source = source
        self.record = record
        self._arguments = (source, record, problem)


class UnsafeName(_Detailed):
    """A name in a data file, or from a server, leads to a file outside the data set.

    Attributes:
        origin: the file or address that gives the name.
        name: the name, shortened.
    """

    def __init__(self, origin: object, name: str, problem: str) -> None:
        short = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
        super().__init__(f"{origin}: the name {short!r} {problem}. Do not trust this data unless you know why")
        self.origin, self.name = str(origin), short
        self._arguments = (str(origin), short, problem)


class AnnotationError(DatasetError):
    """An annotated file cannot be read, or an annotation in it is wrong; the message names file, item and field."""


class RobotNotDescribed(_Detailed):
    """The files of a data set do not describe its robot.

    Attributes:
        path: the data set.
    """

    def __init__(self, path: Path | str) -> None:
        remedy = "Open it through a YAML file; `embodio-data inspect` proposes one"
        super().__init__(f"{path} does not describe its robot. {remedy}")
        self.path = path
        self._arguments = (path,)


class FeatureError(DatasetError):
    """A value does not fit the declared features, or features are of a kind that cannot be read."""


class CollectionError(DatasetError):
    """A collection of demonstrations cannot start or go on."""


class CollectionMismatch(_Detailed, CollectionError):
    """A folder holds a collection that was made with other settings.

    Attributes:
        field: the first setting that differs.
        expected: its value in the folder.
        found: its value in the call.
    """

    def __init__(self, folder: Path, field: str, expected: object, found: object) -> None:
        super().__init__(
            f"{folder} holds a collection with {field}={expected!r}, but {field}={found!r} was asked for. "
            f"Ask for {field}={expected!r} to extend it, or choose another folder"
        )
        self.field = field
        self.expected = expected
        self.found = found
        self._arguments = (folder, field, expected, found)


class ExampleError(_Detailed):
    """An Example cannot be made from a step or record; the message names data set, episode and step.

    Attributes:
        dataset: name of the data set.
        episode: its number in it, or that of the record.
        step: the step of the episode; WHOLE for a record without steps.
    """

    def __init__(self, dataset: str, episode: int, step: int, problem: str) -> None:
        place = f"record {episode}" if step == WHOLE else f"episode {episode}, step {step}"
        super().__init__(f"{dataset}, {place}: {problem}")
        self.dataset = dataset
        self.episode = episode
        self.step = step
        self._arguments = (dataset, episode, step, problem)


class SkippedRecord(ExampleError):
    """No Example is made of a record, and any other may be taken in its place."""


class DamagedRecord(SkippedRecord):
    """The record is damaged; a loader counts such records up to its limit."""


class NothingToLearn(SkippedRecord):
    """The record is intact, but gives no Example."""


class TooMuchDamage(DatasetError):
    """More episodes or records are damaged than the settings of the loader allow."""


class LoaderError(DatasetError):
    """A worker process died, is silent, or failed in a way that no other error describes."""
