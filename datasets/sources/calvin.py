"""CALVIN: one npz file per step, instructions in a pickled array; each annotated segment is an episode.

A folder holds `episode_0000000.npz`, ..., `ep_start_end_ids.npy`, and mostly `lang_annotations/auto_lang_ann.npy`; a
release holds the folders `training` and `validation`.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import (
    FLOATS,
    INSTRUCTION,
    INTEGERS,
    METADATA,
    DepthFeature,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError, RobotNotDescribed
from embodio.datasets.files.restricted_pickle import read_pickle
from embodio.datasets.sources.columns import ColumnEpisode
from embodio.datasets.sources.layouts import Layout
from embodio.envs.embodiment import Embodiment

_ENDS = "ep_start_end_ids.npy"
_TEXTS = "lang_annotations/auto_lang_ann.npy"
_SPLITS = ("training", "validation")
_PLAY = "play"  # the whole recording, in the segments of ep_start_end_ids
_REMEDY = "Fetch the data set again"
_HZ = 30.0
# Names of the actions in a file; the benchmark's policies learn the relative ones.
_RENAMED = {"rel_actions": "action", "actions": "absolute_action"}
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
_LONGEST = 1 << 24  # steps of an episode, 155 hours
_LARGEST = 1 << 28  # bytes of one field of a step
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Stretch:
    """Steps `first` to `last`, with the instruction and the name of its task."""

    first: int
    last: int
    text: str = ""
    task: str = ""

    def __len__(self) -> int:
        return self.last - self.first + 1


class CalvinSource:
    """Episodes of CALVIN.

    With instructions, an episode is a segment that has one; the split "training:play" (or "play") takes the whole
    recording instead, without instructions. `action` is the relative action; `absolute_action` the other one.

    Attributes:
        name: of the data set.
        features: what an episode holds.
        split: the requested split.
        fps: steps per second.
        missing: one line on the episodes that lack files of steps.
    """

    fps = _HZ

    def __init__(self, path: str | Path, *, instruction: str = "", split: str | None = None) -> None:
        """Reads the bounds of episodes, and the instructions.

        Args:
            path: folder of the steps, or that of `training` and `validation`.
            instruction: instruction for steps without one.
            split: "training" (which None takes), "validation", "play", or "training:play".

        Raises:
            DatasetError: there is no such data set or split, or none of its steps.
            CorruptRecordError: a list is damaged.
            UnsafePickle: the instructions are not plain data; nothing was run.
        """
        self.path, self.split, self._instruction = Path(path), split, instruction
        self._folder, is_play = _folder_of(self.path, split)
        self.name = f"calvin_{re.sub(r'[^0-9A-Za-z]+', '_', self._folder.parent.name).lower().strip('_')}"
        annotated = [] if is_play else list(_annotated(self._folder))
        self._stretches = annotated or list(_recorded(self._folder))
        steps = sorted(file for file in self._folder.glob("episode_*.npz") if file.stem[len("episode_") :].isdecimal())
        if not steps or not self._stretches:
            raise DatasetError(f"{self._folder} holds no steps (episode_0000000.npz)")
        self._digits = len(steps[0].stem.removeprefix("episode_"))
        numbers = np.sort([int(file.stem.removeprefix("episode_")) for file in steps])
        spans = [(stretch.first, stretch.last) for stretch in self._stretches]
        there = np.diff(np.searchsorted(numbers, np.add(spans, (0, 1))))[:, 0]
        lacking = [span for span, count in zip(spans, there.tolist(), strict=True) if count <= span[1] - span[0]]
        self.missing: tuple[str, ...] = ()
        if lacking:
            first, last = lacking[0]
            line = (
                f"files of {len(lacking)} of {len(self._stretches)} episodes were not all fetched; the first one goes "
                f"from {self._file(first)} to {self._file(last)}"
            )
            if len(lacking) == len(self._stretches):
                raise DatasetError(f"{self._folder}: {line}. {_REMEDY}")
            _log.warning("%s: %s", path, line)
            self.missing = (line,)
        self._fields, self.features = self._describe(steps[0])

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return len(self._stretches)

    @property
    def embodiment(self) -> Embodiment:
        """Raises RobotNotDescribed: the files do not describe the robot; a YAML file does."""
        raise RobotNotDescribed(self.path)

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode."""
        return len(self._stretch(index))

    def episode(self, index: int) -> ColumnEpisode:
        """Returns one episode; its fields are read on demand.

        Raises:
            CorruptRecordError: the file of a step is missing or damaged (when it is read).
            IndexError: there is no such episode.
        """
        stretch, length = self._stretch(index), self.episode_length(index)
        columns: dict[str, Callable[[], npt.NDArray[Any]]] = {
            "is_first": lambda: np.arange(length) == 0,
            "is_last": lambda: np.arange(length) == length - 1,
        }
        frames: dict[str, Callable[[int], npt.NDArray[np.uint8]]] = {}
        for path, name in self._fields.items():
            if isinstance(self.features.steps[path], ImageFeature):
                frames[path] = lambda step, name=name: self._value(index, stretch.first + step, name)  # type: ignore[misc]
            else:
                columns[path] = lambda path=path, name=name: self._column(index, stretch, path, name)  # type: ignore[misc]
        texts = {INSTRUCTION: lambda step: stretch.text or self._instruction}
        values = {"task": stretch.task, "first_step": stretch.first, "last_step": stretch.last}
        episode = {f"{METADATA}/{name}": value for name, value in values.items()}
        return ColumnEpisode(self.features, length, columns=columns, frames=frames, texts=texts, episode=episode)

    def close(self) -> None:
        """Does nothing: no file stays open."""

    def _stretch(self, index: int) -> _Stretch:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        return self._stretches[index]

    def _file(self, step: int) -> str:
        return f"episode_{step:0{self._digits}d}.npz"

    def _value(self, index: int, step: int, name: str) -> npt.NDArray[Any]:
        file = self._folder / self._file(step)
        try:
            with zipfile.ZipFile(file) as archive:
                info = archive.getinfo(f"{name}.npy")
                if info.file_size > _LARGEST:
                    raise CorruptRecordError(file, index, f"{name} has {info.file_size} bytes, too many", _REMEDY)
                value: npt.NDArray[Any] = np.load(io.BytesIO(archive.read(info)), allow_pickle=False)
        except _DAMAGE as error:
            problem = f"{name} cannot be read ({type(error).__name__}: {error})"
            raise CorruptRecordError(file, index, problem, _REMEDY) from error
        return value

    def _column(self, index: int, stretch: _Stretch, path: str, name: str) -> npt.NDArray[Any]:
        values = [self._value(index, step, name) for step in range(stretch.first, stretch.last + 1)]
        if len({value.shape for value in values}) > 1:
            raise CorruptRecordError(self._folder, index, f"{name} has several shapes", _REMEDY)
        stacked = np.stack(values)
        return stacked[..., None] if isinstance(self.features.steps[path], DepthFeature) else stacked

    def _describe(self, file: Path) -> tuple[dict[str, str], EpisodeFeatures]:
        """Our path of each field -> its name; and the features of an episode, from one step."""
        fields, steps, unread = dict[str, str](), dict[str, Feature](), dict[str, str]()
        try:
            with np.load(file, allow_pickle=False) as content:
                names = list(content)
                arrays = {name: _plain(content, name) for name in names}
        except _DAMAGE as error:
            raise CorruptRecordError(file, 0, f"not a step of CALVIN ({error})", _REMEDY) from error
        for name, array in arrays.items():
            path = _RENAMED.get(name, f"observation/{name}")
            try:
                if array is None:
                    raise FeatureError(f"{name}: Python objects, which are not read")
                steps[path] = _feature(name, array)
                fields[path] = name
            except FeatureError as error:
                unread[f"steps/{path}"] = str(error)
        steps |= {name: TensorFeature("bool") for name in ("is_first", "is_last")}
        steps[INSTRUCTION] = TextFeature()
        number = TensorFeature("int64")
        episode: dict[str, Feature] = {
            f"{METADATA}/task": TextFeature(),
            f"{METADATA}/first_step": number,
            f"{METADATA}/last_step": number,
        }
        return fields, EpisodeFeatures(steps, episode, unread=unread)


def _plain(content: Any, name: str) -> npt.NDArray[Any] | None:
    """An array of an npz file; None where it holds Python objects."""
    try:
        array: npt.NDArray[Any] = content[name]
    except ValueError:  # objects, which numpy would have to unpickle
        return None
    return array


def _feature(name: str, array: npt.NDArray[Any]) -> Feature:
    shape, dtype = array.shape, array.dtype.newbyteorder("=").name
    if dtype == "uint8" and len(shape) == 3 and shape[-1] in (1, 3):
        return ImageFeature(*shape, "png")
    if dtype not in (*FLOATS, *INTEGERS) or 0 in shape:
        raise FeatureError(f"{name}: {dtype} of shape {shape}")
    if "depth" in name and dtype == "float32" and len(shape) == 2:
        return DepthFeature(*shape)
    return TensorFeature(dtype, shape)


def _folder_of(path: Path, split: str | None) -> tuple[Path, bool]:
    """Folder of the steps, and whether the whole recording is requested."""
    name, _, kind = (split or "").partition(":")
    if name == _PLAY and not kind:
        name, kind = "", _PLAY
    if kind not in ("", _PLAY) or name not in ("", *_SPLITS):
        raise DatasetError(f"{path} has no split {split!r}; it has training, validation, play, training:play")
    if (path / _ENDS).exists() and name in ("", path.name):
        return path, bool(kind)
    folder = path / (name or _SPLITS[0])
    if not (folder / _ENDS).exists():
        raise DatasetError(f"{folder / _ENDS} is missing. Give the folder of a CALVIN data set, or another split")
    return folder, bool(kind)


def _recorded(folder: Path) -> Iterator[_Stretch]:
    try:
        spans = np.load(folder / _ENDS, allow_pickle=False)
    except _DAMAGE as error:
        raise CorruptRecordError(folder / _ENDS, 0, f"cannot be read ({error})", _REMEDY) from error
    if spans.ndim != 2 or spans.shape[1] != 2 or spans.dtype.kind not in "iu":
        raise CorruptRecordError(folder / _ENDS, 0, f"{spans.dtype} of shape {spans.shape}, expected [E, 2]", _REMEDY)
    return (_stretch(folder / _ENDS, number, span) for number, span in enumerate(spans))


def _annotated(folder: Path) -> Iterator[_Stretch]:
    """The segments with an instruction; none if the file is missing."""
    path = folder / _TEXTS
    if not path.exists():
        return
    found = _objects(path)
    try:
        spans, texts = found["info"]["indx"], found["language"]["ann"]
        tasks = found["language"].get("task", [""] * len(texts))
    except (AttributeError, KeyError, TypeError) as error:
        raise CorruptRecordError(path, 0, "it lacks info.indx or language.ann", _REMEDY) from error
    if not len(spans) == len(texts) == len(tasks):
        raise CorruptRecordError(path, 0, f"{len(texts)} instructions for {len(spans)} stretches", _REMEDY)
    for number, (span, text, task) in enumerate(zip(spans, texts, tasks, strict=True)):
        yield _stretch(path, number, span, str(text).strip(), str(task).strip())


def _objects(path: Path) -> Any:
    """The one object of an npy file, unpickled without running anything that it names."""
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
        except _DAMAGE as error:
            raise CorruptRecordError(path, 0, f"not an npy file ({error})", _REMEDY) from error
        if not dtype.hasobject or shape not in ((), (1,)):
            raise CorruptRecordError(path, 0, f"{dtype} of shape {shape}, expected one object", _REMEDY)
        return read_pickle(file.read(), path, ())


def _stretch(path: Path, number: int, span: Any, text: str = "", task: str = "") -> _Stretch:
    try:
        first, last = (int(step) for step in span)
    except (TypeError, ValueError) as error:
        raise CorruptRecordError(path, number, f"{span!r} is not a first and a last step", _REMEDY) from error
    if not 0 <= first <= last < min(first + _LONGEST, 1 << 53):
        raise CorruptRecordError(path, number, f"steps {first} to {last}", _REMEDY)
    return _Stretch(first, last, text, task)


def _holds(path: Path) -> bool:
    return path.is_dir() and any((folder / _ENDS).exists() for folder in (path, *(path / name for name in _SPLITS)))


def _opened(place: Path | str, split: str | None, instruction: str) -> CalvinSource:
    if isinstance(place, str):
        raise DatasetError(f"{place}: CALVIN is read from folders on this machine. Fetch it, then give the folder")
    return CalvinSource(place, split=split, instruction=instruction)


LAYOUT = Layout("calvin", f"CALVIN (episode_0000000.npz and {_ENDS}, or training/)", _holds, _opened, rank=3)
