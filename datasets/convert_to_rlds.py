"""Any data set as RLDS, value for value: images are written without loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from embodio.datasets.errors import DatasetError
from embodio.datasets.rlds.features import EpisodeFeatures, Feature, ImageFeature, TextFeature
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.source import EpisodeSource, EpisodeView


def convert_to_rlds(
    source: EpisodeSource, folder: str | Path, name: str, *, done: Callable[[int], None] = lambda count: None
) -> None:
    """Writes every episode of a source as RLDS, with the robot beside it where the source describes one.

    Args:
        source: what to convert.
        folder: where to; must hold no data set.
        name: of the data set, as tfds asks.
        done: called with the number of episodes that are written, after each.

    Raises:
        DatasetError: as `RLDSWriter`, or as reading the source does; nothing is left in the folder then.
    """
    features = EpisodeFeatures(_lossless(source.features.steps), _lossless(source.features.episode))
    with RLDSWriter(folder, name, features, description=f"converted from {source.name}") as writer:
        for index in range(len(source)):
            episode = source.episode(index)
            steps = [_step(episode, features, step) for step in range(len(episode))]
            writer.add(steps, {path: episode.value(path) for path in features.episode})
            done(index + 1)
        try:
            source.embodiment.save(writer.folder / "embodiment.json")
        except DatasetError:  # RLDS data without a robot is read all the same
            return


def _lossless(features: Any) -> dict[str, Feature]:
    return {
        path: replace(feature, encoding="png") if isinstance(feature, ImageFeature) else feature
        for path, feature in features.items()
    }


def _step(episode: EpisodeView, features: EpisodeFeatures, step: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for path, feature in features.steps.items():
        if isinstance(feature, ImageFeature):
            values[path] = episode.frame(path, step)
        elif isinstance(feature, TextFeature):
            values[path] = episode.text(path, step)
        else:
            values[path] = episode.array(path)[step]
    return values
