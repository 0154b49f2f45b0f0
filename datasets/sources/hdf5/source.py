"""HDF5Source: the episodes of one HDF5 file, or of a folder of them, in any known dialect."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import (
    INSTRUCTION,
    STEPS,
    EpisodeFeatures,
    SequenceFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError, RobotNotDescribed
from embodio.datasets.sources.columns import ColumnEpisode, Lazy
from embodio.datasets.sources.hdf5.episodes import EpisodePlace, find_episodes, require_readable, spread
from embodio.datasets.sources.hdf5.facts import Fact, by_language, facts_of, features_of_facts, rate_of
from embodio.datasets.sources.hdf5.fields import Field, Seen, fields_of
from embodio.datasets.sources.hdf5.files import OpenFiles, files_below, readable
from embodio.datasets.sources.hdf5.reading import FILE, FILTER, ID, EpisodeReader, Readable
from embodio.envs.embodiment import Embodiment


class HDF5Source:
    """Episodes of HDF5 files, in the order of their numbers.

    Observations keep their names ("observation/agentview_image", "observation/robot0_eef_pos"); actions, rewards and
    dones get the names of RLDS. Attributes of an episode and of the groups around it, and texts of JSON in them, are
    its metadata ("episode_metadata/ep_meta/lang"), as are the filter keys of `mask`. The language that is found there,
    or in the steps, is `language_instruction`.

    Attributes:
        name: of the data set, from the file's name or its environment.
        features: what an episode holds.
        notes: how images are changed when they are read.
    """

    def __init__(self, path: str | Path, *, instruction: str = "", split: str | None = None) -> None:
        """Opens files.

        Args:
            path: a file, or a folder of files.
            instruction: instruction for files without one.
            split: name of a filter key ("train", "valid", "50_percent"); None takes all episodes.

        Raises:
            DatasetError: h5py is missing, there is no such file, it is of another layout, or has no such filter key.
            CorruptRecordError: the file is damaged.
            FeatureError: the episodes hold nothing that can be read.
        """
        self.path, self.split = Path(path), split
        if not self.path.exists():
            raise DatasetError(f"{self.path} is not there. Give an HDF5 file, or a folder of them")
        self._files = OpenFiles(self.path, files_below(self.path))
        self._dialect, places = find_episodes(self._files)
        self._masks = tuple(dict.fromkeys(key for place in places for key in place.masks))
        if split is not None:
            if split not in self._masks:
                known = ", ".join(sorted(self._masks)) or "none"
                raise DatasetError(f"{self.path} has no filter key {split!r}; it has {known}")
            places = [place for place in places if place.masks.get(split)]
        if not places:
            raise DatasetError(f"{self.path} holds no episode")
        self._places, self._lengths = places, dict[int, int]()
        seen = self._look()
        fields, unread = fields_of([one for one, _ in seen])
        fields = {path: field for path, field in fields.items() if path not in ("is_first", "is_last")}
        self.features, language = self._features(fields, unread, [facts for _, facts in seen])
        self._common = Readable(self._files, self._dialect, fields, self.features, language, instruction)
        self.notes = tuple(
            f"{path}: {field.pixels.in_words}"
            for path, field in fields.items()
            if field.pixels is not None and field.pixels.in_words
        )
        self.name = re.sub(r"\W+", "_", self._environment_name or self._own_name).lower().strip("_")

    def __len__(self) -> int:
        """Returns the number of episodes."""
        return len(self._places)

    @property
    def embodiment(self) -> Embodiment:
        """Raises RobotNotDescribed: HDF5 files do not describe the robot; a YAML file does."""
        raise RobotNotDescribed(self.path)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """The first file's environment arguments (`env_args`); empty if there are none."""
        place = next(place for place in self._places if not place.problem)
        return dict(self._dialect.environment(self._files.file(place.file, 0)))

    @cached_property
    def fps(self) -> float | None:
        """Steps per second, where an attribute says so."""
        place = next(place for place in self._places if not place.problem)
        return rate_of(self._files.file(place.file, 0), place.group)

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode; raises CorruptRecordError if it has no actions."""
        place = self._place(index)
        if index not in self._lengths:
            file = self._files.file(place.file, index)
            with readable(self._files.paths[place.file], index, f"the actions of {place.name}"):
                self._lengths[index] = self._dialect.length(file[place.group] if place.group else file)
        return self._lengths[index]

    def episode(self, index: int) -> ColumnEpisode:
        """Returns one episode; its fields are read on demand.

        Raises:
            CorruptRecordError: a field is missing or damaged (when it is read).
            IndexError: there is no such episode.
        """
        length = self.episode_length(index)
        read = EpisodeReader(self._common, self._places[index], index, length)
        columns: dict[str, Callable[[], npt.NDArray[Any]]] = {}
        frames: dict[str, Callable[[int], npt.NDArray[np.uint8]]] = {}
        texts: dict[str, Callable[[int], str]] = {}
        for path, field in self._common.fields.items():
            if field.pixels is not None:
                frames[path] = partial(read.frame, path)
            elif isinstance(field.feature, TextFeature):
                texts[path] = partial(read.text, path)
            elif not isinstance(field.feature, SequenceFeature):
                columns[path] = partial(read.column, path)
        columns |= {"is_first": lambda: np.arange(length) == 0, "is_last": lambda: np.arange(length) == length - 1}
        sequences = {
            path: partial(read.texts, path.removeprefix(f"{STEPS}/"))
            if path.startswith(f"{STEPS}/")
            else (lambda step, path=path: read.fact(path))
            for path in self.features.sequences
        }
        texts[INSTRUCTION] = lambda step: read.said(step)[0]
        return ColumnEpisode(
            self.features,
            length,
            columns=columns,
            frames=frames,
            texts=texts,
            episode=Lazy(self.features.episode, read.fact),
            sequences=sequences,
            wordings=read.said,
        )

    def close(self) -> None:
        """Closes the files; reopened when needed."""
        self._files.close()

    @property
    def _environment_name(self) -> str:
        """The only file's name for its environment; a folder may hold several."""
        return str(self.environment.get("env_name") or "") if self.path.is_file() else ""

    @property
    def _own_name(self) -> str:
        return self.path.stem if self.path.is_file() else self.path.resolve().name

    def _place(self, index: int) -> EpisodePlace:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        place = self._places[index]
        require_readable(self._files, place, index)
        return place

    def _look(self) -> list[tuple[Seen, dict[str, Fact]]]:
        """Readable episodes with steps from across the data; raises CorruptRecordError without one."""
        seen, problem = list[tuple[Seen, dict[str, Fact]]](), None
        for numbers in spread(len(self)):
            for number in numbers:
                try:
                    length = self.episode_length(number)
                    if length:
                        seen.append(self._seen(number, length))
                except CorruptRecordError as error:
                    problem = problem or error
            if seen:
                return seen
        raise problem or FeatureError(f"{self.path}: none of its {len(self)} episodes has steps")

    def _seen(self, number: int, length: int) -> tuple[Seen, dict[str, Fact]]:
        place = self._places[number]
        path, file = self._files.paths[place.file], self._files.file(place.file, number)
        with readable(path, number, place.name):
            group = file[place.group] if place.group else file
            facts = facts_of(file, self._dialect, path, place.group, length)
            return Seen(group, length, self._dialect, self._dialect.swapped(file), frozenset(facts)), facts

    def _features(
        self, fields: dict[str, Field], unread: dict[str, str], facts: list[dict[str, Fact]]
    ) -> tuple[EpisodeFeatures, list[list[str]]]:
        """What an episode holds, and the fields with its language."""
        sequences = {f"{STEPS}/{p}": f.feature for p, f in fields.items() if isinstance(f.feature, SequenceFeature)}
        steps = {
            path: field.feature for path, field in fields.items() if not isinstance(field.feature, SequenceFeature)
        }
        of_episode, several, missing = features_of_facts(facts)
        sequences |= several
        texts = [path for path, feature in (steps | of_episode).items() if isinstance(feature, TextFeature)]
        language = by_language([*texts, *sequences])
        flag = TensorFeature("bool")
        terminal = steps.get("is_terminal")
        if isinstance(terminal, TensorFeature) and terminal.shape in ((), (1,)):
            steps["is_terminal"] = flag
        steps |= {"is_first": flag, "is_last": flag, INSTRUCTION: TextFeature()}
        of_episode |= {ID: TextFeature()} | ({FILE: TextFeature()} if len(self._files.paths) > 1 else {})
        of_episode |= {f"{FILTER}{mask}": flag for mask in self._masks}
        reasons = {f"{STEPS}/{path}": f"{path}: {reason}" for path, reason in unread.items()}
        reasons |= {path: f"{path}: {reason}" for path, reason in missing.items()}
        return EpisodeFeatures(steps, of_episode, sequences, reasons), language
