"""A data set seen through its description: the fields of any source under our names, with instruction and robot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.features import (
    INSTRUCTION,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.episodes.fields import EpisodeFields, as_rows
from embodio.datasets.episodes.side_files import data_folder
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView, encoded_frame, put_frame, some_episodes
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.sources.described_language import require_language, wordings_of
from embodio.datasets.sources.description import Description, FieldPart, Filters
from embodio.envs.embodiment import Camera, Embodiment

# RLDS's fields of every step, kept under the same name if the source has them.
_STANDARD = ("reward", "discount", "is_first", "is_last", "is_terminal")


class MappedEpisode(EpisodeFields):
    """One episode under our names (legend: T steps); methods as in `embodio.datasets.episodes.source.EpisodeView`."""

    def __init__(self, base: EpisodeView, description: Description, features: EpisodeFeatures) -> None:
        self.base = base
        self.features = features
        self._description = description
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def __len__(self) -> int:
        """Returns the number of steps T."""
        return len(self.base)

    @property
    def in_pieces(self) -> bool:
        """Whether images and texts of the source stay in the file."""
        return bool(getattr(self.base, "in_pieces", False))

    @property
    def metadata(self) -> dict[str, Any]:
        """Values of the whole episode, as in the source."""
        return self.base.metadata

    def value(self, path: str) -> Any:
        """A field of the whole episode by its full path, as in the source."""
        return self.base.value(path)

    def array(self, path: str) -> npt.NDArray[Any]:
        """Returns a numeric field over all steps, read-only; raises FeatureError if there is none."""
        path, feature = self._find_numbers(path)
        if path not in self._description.fields:
            return self.base.array(path)
        if path not in self._arrays:
            parts = self._description.fields[path]
            if _is_whole(parts) and self.base.features.steps[parts[0].path] == feature:
                return self.base.array(parts[0].path)
            joined = np.concatenate([_numbers(self.base, part) for part in parts], axis=1)
            joined.setflags(write=False)
            self._arrays[path] = joined
        return self._arrays[path]

    def frame(self, path: str, step: int) -> npt.NDArray[np.uint8]:
        """Returns the image of one step, uint8 [H, W, C]."""
        frame = self.base.frame(self._path_there(path), step)
        return frame[..., ::-1].copy() if self._is_bgr(path) else frame

    def frame_into(self, path: str, step: int, out: npt.NDArray[np.uint8]) -> None:
        """Puts the image of one step into an array, see `embodio.datasets.episodes.source.put_frame`."""
        put_frame(self.base, self._path_there(path), step, out)
        if self._is_bgr(path):
            out[...] = out[..., ::-1].copy()

    def encoded_frame(self, path: str, step: int) -> bytes | None:
        """The compressed image of one step, see `embodio.datasets.episodes.source.encoded_frame`."""
        return None if self._is_bgr(path) else encoded_frame(self.base, self._path_there(path), step)

    def _is_bgr(self, path: str) -> bool:
        """Whether red and blue of a camera are swapped in the files."""
        return self._find_image(path)[0] in self._description.bgr

    def text(self, path: str, step: int) -> str:
        """Returns a text field at one step; raises IndexError outside [0, T)."""
        path = self._find_text(path)
        self._require_step(step)
        if path == INSTRUCTION:
            return self.wordings(step)[0]
        parts = self._description.fields.get(path)
        return self.base.text(parts[0].path if parts else path, step)

    def wordings(self, step: int) -> tuple[str, ...]:
        """The instruction of one step in all its paraphrases, see `EpisodeFields.wordings`."""
        self._require_step(step)
        return wordings_of(self.base, self._description.instruction, step)

    def sequence(self, path: str, step: int | None = None) -> npt.NDArray[Any] | tuple[Any, ...]:
        """The values of a sequence at a step, or of the episode, as in the source."""
        return self.base.sequence(path, step)

    def _path_there(self, path: str) -> str:
        """The source's name for an image of ours."""
        path, _ = self._find_image(path)
        parts = self._description.fields.get(path)
        return parts[0].path if parts else path


class MappedSource:
    """A source under our names.

    `action` is float32 [T, A] and `observation/state` float32 [T, S], joined from the parts that the description lists;
    cameras have the names that it gives them.

    Attributes:
        name: of the description.
        features: under our names.
        description: what the YAML file says.
        folder: of the files, where the source has one on this machine.
        split: name of the split, where the source has one.
        missing: parts of the data set that were not fetched, one line each.
        remarks: errors in its descriptions that the source found.
    """

    def __init__(self, base: EpisodeSource, description: Description) -> None:
        """Checks that the source holds what the description takes, and applies the filters.

        Raises:
            FeatureError: a field is missing or of the wrong kind or size; names both.
            DatasetError: no episode passes the filters.
        """
        self.name = description.name
        self.description = description
        self._base = base
        self.folder = data_folder(base)
        self.split = getattr(base, "split", None)
        self.missing: tuple[str, ...] = getattr(base, "missing", ())
        self.remarks: Mapping[str, None] = getattr(base, "remarks", {})  # the same object: it grows while reading
        self.features = _features(base.features, description)
        self._embodiment = _embodiment(base, description, self.features)
        self._episodes = list(_passing(base, description.filters))
        if not self._episodes:
            raise DatasetError(f"{description.path}: none of {len(base)} episodes passes the filters. Loosen them")

    @property
    def base(self) -> EpisodeSource:
        """The data set without its description."""
        return self._base

    def __len__(self) -> int:
        """Returns the number of episodes that pass the filters."""
        return len(self._episodes)

    @property
    def embodiment(self) -> Embodiment:
        """The robot, with the cameras of the data set; raises DatasetError if it is not described."""
        if self._embodiment is not None:
            return self._embodiment
        found = self._base.embodiment
        return replace(found, guessed=tuple(dict.fromkeys((*found.guessed, *self.description.guessed))))

    def episode_length(self, index: int) -> int:
        """Returns the number of steps of one episode."""
        return self._base.episode_length(self._number(index))

    def episode(self, index: int) -> MappedEpisode:
        """Returns one episode; errors as those of the source."""
        return MappedEpisode(self._base.episode(self._number(index)), self.description, self.features)

    def close(self) -> None:
        """Closes the source's files."""
        self._base.close()

    def _number(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"episode {index} of a data set of {len(self)}")
        return self._episodes[index]


def _is_whole(parts: tuple[FieldPart, ...]) -> bool:
    return len(parts) == 1 and parts[0].first == 0 and parts[0].last is None


def _numbers(base: EpisodeView, part: FieldPart) -> npt.NDArray[np.float32]:
    return as_rows(base.array(part.path))[:, part.first : part.last].astype(np.float32)


def _features(base: EpisodeFeatures, description: Description) -> EpisodeFeatures:
    if description.features is not None:
        _require_declared(base, description)
    steps: dict[str, Feature] = {}
    for path, parts in description.fields.items():
        steps[path] = _joined(base, path, parts, description)
    for path in description.bgr:
        if not isinstance(steps.get(path), ImageFeature):
            cameras = ", ".join(p.partition("/")[2] for p, f in steps.items() if isinstance(f, ImageFeature)) or "none"
            raise FeatureError(
                f"{description.path}: bgr: {path.partition('/')[2]!r} is not among the cameras: {cameras}"
            )
    steps |= {path: base.steps[path] for path in _STANDARD if path in base.steps and path not in steps}
    require_language(base, description)
    steps[INSTRUCTION] = TextFeature()
    return EpisodeFeatures(steps, base.episode, base.sequences)


def _require_declared(base: EpisodeFeatures, description: Description) -> None:
    """Refuses files whose structure differs from the description; additional fields are accepted."""
    declared = description.features
    if declared is None:
        return
    for kind, there, wanted in (("steps", base.steps, declared.steps), ("episode", base.episode, declared.episode)):
        for path, feature in wanted.items():
            if path not in there:
                known = ", ".join(sorted(there)) or "none"
                raise FeatureError(f"{description.path}: the data has no {kind} field {path!r}; it has {known}")
            if _core(there[path]) != _core(feature):
                raise FeatureError(f"{description.path}: {path} is {there[path]} in the data, declared {feature}")


def _core(feature: Feature) -> object:
    """The parts that must be equal: neither compression nor size of images (resized copies get published)."""
    if isinstance(feature, ImageFeature):
        return ("image", feature.channels)
    return replace(feature, encoding="none") if isinstance(feature, TensorFeature) else feature


def _joined(base: EpisodeFeatures, path: str, parts: tuple[FieldPart, ...], description: Description) -> Feature:
    where = f"{description.path}: {path}"
    found: list[Feature] = []
    for part in parts:
        if part.path not in base.steps:
            known = ", ".join(sorted(base.steps))
            raise FeatureError(f"{where}: the data has no step field {part.path!r}; it has {known}")
        found.append(base.steps[part.path])
    if _is_whole(parts) and path not in ("action", "observation/state"):
        return found[0]
    size = 0
    for part, feature in zip(parts, found, strict=True):
        if not isinstance(feature, TensorFeature):
            raise FeatureError(f"{where}: {part.path!r} is not numeric, so it cannot be joined with others")
        numbers = int(np.prod(feature.shape))
        last = numbers if part.last is None else part.last
        if last > numbers or part.first >= last:
            raise FeatureError(f"{where}: {part.path!r} has {numbers} numbers, {part.first}:{last} were asked for")
        size += last - part.first
    if _is_whole(parts) and found[0] == TensorFeature("float32", (size,)):
        return found[0]
    return TensorFeature("float32", (size,))


def _embodiment(base: EpisodeSource, description: Description, features: EpisodeFeatures) -> Embodiment | None:
    described = description.embodiment
    if described is None:
        return None
    for path, dimensions in (("action", described.action.dimensions), ("observation/state", described.state)):
        feature = features.steps.get(path)
        size = int(np.prod(feature.shape)) if isinstance(feature, TensorFeature) else 0
        if size != len(dimensions):
            raise FeatureError(
                f"{description.path}: {path} has {size} numbers, its embodiment {len(dimensions)} of them"
            )
    flipped = {camera.name for camera in described.cameras}
    cameras: list[Camera] = []
    for path, feature in features.steps.items():
        if path.startswith("observation/") and isinstance(feature, ImageFeature):
            name = path.removeprefix("observation/")
            height, width = feature.height, feature.width
            if height is None or width is None:
                source_path = description.fields[path][0].path if path in description.fields else path
                height, width = _size_seen(base, source_path)
            orientation: Any = "flipped" if name in flipped else "upright"
            cameras.append(Camera(name, height, width, feature.channels, orientation))
    return replace(described, cameras=tuple(cameras), guessed=description.guessed)


def _size_seen(base: EpisodeSource, path: str) -> tuple[int, int]:
    """Height and width of the first image that can be read; raises DatasetError if there is none."""
    for _, episode in some_episodes(base):
        with contextlib.suppress(CorruptRecordError, FeatureError):
            height, width = episode.frame(path, 0).shape[:2]
            return height, width
    raise DatasetError(f"{base.name}: no image of {path} can be read. Fetch the data set again")


def _passing(base: EpisodeSource, filters: Filters) -> Iterator[int]:
    last = len(base) if filters.last is None else min(filters.last, len(base))
    by_length = filters.min_steps > 1 or filters.max_steps is not None
    for index in range(filters.first, last):
        if by_length:
            length = base.episode_length(index)
            if length < filters.min_steps or (filters.max_steps is not None and length > filters.max_steps):
                continue
        if filters.values:
            episode = base.episode(index)
            if any(episode.value(path) != wanted for path, wanted in filters.values.items()):
                continue
        yield index
