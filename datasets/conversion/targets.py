"""Targets of a conversion: writers of RLDS and of LeRobot that take episodes of any source."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from embodio.datasets.conversion.settings import ConversionSettings
from embodio.datasets.episodes.features import (
    STEPS,
    EpisodeFeatures,
    Feature,
    ImageFeature,
    SequenceFeature,
    TensorFeature,
    TextFeature,
)
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView, robot_of, some_episodes
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.sources.lerobot.writer import LeRobotWriter
from embodio.model.writing import write_json

Kind = TypeVar("Kind", bound=Feature)


class EpisodeWriter(Protocol):
    """Takes episodes one after the other."""

    @property
    def written(self) -> int:
        """Episodes that are safe on disk, also from a run that was killed."""

    def add(self, episode: EpisodeView) -> None:
        """Writes one more; nothing of it remains on failure."""

    def close(self) -> None:
        """Completes the data set."""


class _RLDSTarget:
    """Writes episodes of a source as RLDS, with the robot next to them."""

    def __init__(self, source: EpisodeSource, folder: Path, name: str, images: str) -> None:
        shown = source.features
        sequences = {path: SequenceFeature(_stored(several.item, images)) for path, several in shown.sequences.items()}
        features = EpisodeFeatures(_encoded(shown.steps, images), _encoded(shown.episode, images), sequences)
        self._features, self._embodiment, self._folder = features, robot_of(source), folder
        self._writer = RLDSWriter(folder, name, features, description=_about(source), resume=True)

    @property
    def written(self) -> int:
        """Episodes that are safe on disk."""
        return self._writer.written

    def add(self, episode: EpisodeView) -> None:
        """Writes one more."""
        if not len(episode):
            raise FeatureError("the episode has no steps")
        values = {path: episode.value(path) for path in self._features.episode}
        values |= {path: episode.sequence(path) for path in self._features.sequences if not _of_steps(path)}
        self._writer.add([_step(episode, self._features, step) for step in range(len(episode))], values)

    def close(self) -> None:
        """Completes the data set; RLDS data without a robot can still be read."""
        if self._embodiment is not None:
            write_json(self._folder / "embodiment.json", self._embodiment.to_dict(), indent=2)
        self._writer.close()


def open_target(source: EpisodeSource, staging: Path, settings: ConversionSettings) -> EpisodeWriter:
    """The writer that the settings ask for; it resumes what is in the folder.

    Raises:
        DatasetError: the settings do not fit the source.
        FeatureError: the source has fields that the layout cannot hold.
    """
    images = settings.image_encoding
    if settings.to == "rlds":
        return _RLDSTarget(source, staging, settings.name or dataset_name(source.name), images)
    embodiment = robot_of(source)
    fps = settings.fps or (embodiment.control_hz if embodiment else getattr(source, "fps", None))
    if fps is None:
        raise DatasetError(f"{source.name} does not say how many steps a second has. Give fps=..., e.g. fps=10")
    return LeRobotWriter(
        staging, _sized(source), fps=fps, embodiment=embodiment, images=images, description=_about(source)
    )


def dataset_name(name: str) -> str:
    """A name that tfds accepts, made from any other: lower-case letters, digits and underscores, a letter first."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"data_{plain}".rstrip("_")


def _about(source: EpisodeSource) -> str:
    about = getattr(getattr(source, "description", None), "about", "")
    return about or f"converted from {source.name}"


def _encoded(features: Mapping[str, Feature], images: Any) -> dict[str, Feature]:
    """The features as RLDS keeps all their values: plain float64 would be stored as float32."""
    encoded = {path: _stored(feature, images) for path, feature in features.items()}
    for path, feature in features.items():
        if isinstance(feature, TensorFeature) and feature.dtype == "float64" and feature.encoding == "none":
            encoded[path] = replace(feature, encoding="bytes")
    return encoded


def _stored(feature: Kind, images: Any) -> Kind:
    return replace(feature, encoding=images) if isinstance(feature, ImageFeature) else feature


def _sized(source: EpisodeSource) -> EpisodeFeatures:
    """The features with the size that images have in the first episode that can be read."""
    steps = dict(source.features.steps)
    unsized = [path for path, feature in steps.items() if isinstance(feature, ImageFeature) and not feature.height]
    for _, episode in some_episodes(source) if unsized else ():
        with contextlib.suppress(CorruptRecordError, FeatureError):
            for path in unsized:
                height, width, channels = episode.frame(path, 0).shape
                steps[path] = ImageFeature(height, width, channels)
            break
    return EpisodeFeatures(steps, source.features.episode)


def _step(episode: EpisodeView, features: EpisodeFeatures, step: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, feature in features.steps.items():
        if isinstance(feature, ImageFeature):
            values[path] = episode.frame(path, step)
        elif isinstance(feature, TextFeature):
            values[path] = episode.text(path, step)
        else:
            values[path] = episode.array(path)[step]
    for path in filter(_of_steps, features.sequences):
        values[path.removeprefix(f"{STEPS}/")] = episode.sequence(path, step)
    return values


def _of_steps(path: str) -> bool:
    return path.startswith(f"{STEPS}/")
