"""The check that images decode: first and last frame of every camera and episode, or all of them."""

from __future__ import annotations

from collections.abc import Iterator

from embodio.datasets.checks.finding import Finding
from embodio.datasets.episodes.features import STEPS, DepthFeature, Feature, ImageFeature, TensorFeature
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import DatasetError

CHECK = "images"
_NAMED = 5  # episodes that are named one by one


class ImageCheck:
    """Decodes images of the episodes that it is shown, and remembers where that fails."""

    def __init__(self, source: EpisodeSource, *, every_frame: bool = False) -> None:
        """Notes which fields are images.

        Args:
            source: whose episodes will be shown.
            every_frame: decode all frames, depth and the images of prompts; else the first and last frame of cameras.
        """
        features = source.features
        self._every_frame = every_frame
        self._cameras = [path for path, feature in features.steps.items() if isinstance(feature, ImageFeature)]
        self._depth = [path for path, feature in features.steps.items() if every_frame and _is_depth(feature)]
        self._single = [path for path, feature in features.episode.items() if isinstance(feature, ImageFeature)]
        prompts = [path for path, several in features.sequences.items() if isinstance(several.item, ImageFeature)]
        self._prompts = prompts if every_frame else []
        self._episodes = self._frames = 0
        self._broken: dict[int, str] = {}

    def look(self, number: int, episode: EpisodeView) -> None:
        """Decodes the images of one episode."""
        self._episodes += 1
        try:
            for _ in self._decoded(episode):
                self._frames += 1
        except DatasetError as error:
            self._broken[number] = str(error)

    def finding(self) -> Finding:
        """What was found so far."""
        if not (self._cameras or self._depth or self._single or self._prompts):
            return Finding(CHECK, "unknown", "the data set has none that can be read")
        if self._broken:
            some = ", ".join(map(str, list(self._broken)[:_NAMED]))
            more = ", ..." if len(self._broken) > _NAMED else ""
            text = f"{len(self._broken)} of {self._episodes} episodes have images that do not open: {some}{more}"
            return Finding(CHECK, "warning", f"{text}; {next(iter(self._broken.values()))}", "fetch them again")
        which = "every frame" if self._every_frame else "first and last frame of each episode"
        return Finding(CHECK, "ok", f"{which}: {self._frames} images")

    def _decoded(self, episode: EpisodeView) -> Iterator[None]:
        """Decodes one image after the other."""
        steps = range(len(episode)) if self._every_frame else sorted({0, len(episode) - 1})
        for path in self._cameras:
            for step in steps if len(episode) else ():
                episode.frame(path, step)
                yield
        for path in self._depth:
            episode.array(path)
            yield
        for path in self._single:
            episode.value(path)
            yield
        for path in self._prompts:
            for place in steps if path.startswith(f"{STEPS}/") else (None,):
                episode.sequence(path, place)
                yield


def _is_depth(feature: Feature) -> bool:
    return isinstance(feature, DepthFeature) or (isinstance(feature, TensorFeature) and feature.encoding == "png")
