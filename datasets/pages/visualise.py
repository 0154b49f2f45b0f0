"""Episodes of a data set gathered for the page that shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embodio.datasets.codecs.video import video_bytes
from embodio.datasets.episodes.dimension_names import dimension_names
from embodio.datasets.episodes.features import TensorFeature
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import DatasetError
from embodio.datasets.pages.episode_page import EpisodePage, TokenTable, page_html
from embodio.datasets.pages.plot import plot_svg
from embodio.datasets.pages.prompt import instruction_parts, sounds
from embodio.model.writing import write_bytes

if TYPE_CHECKING:
    from markupsafe import Markup

Tokens = Callable[[EpisodeView], TokenTable | None]
_FPS = 10.0  # where the control frequency is not known
_MOST_NUMBERS = 64
_LONGEST_VALUE = 500


def write_page(
    source: EpisodeSource,
    episodes: Sequence[int],
    path: Path,
    *,
    tokens: Tokens = lambda episode: None,
    done: Callable[[int], None] = lambda count: None,
) -> None:
    """Writes one HTML file that shows episodes, in one step.

    Args:
        source: the data set.
        episodes: their numbers, in the order of the page.
        path: the file.
        tokens: gives the tokens of an episode as the model sees them, None for none.
        done: called after each with the number of episodes done so far.

    Raises:
        DatasetError: there is no episode of such a number, or one cannot be read.
    """
    wrong = [number for number in episodes if not 0 <= number < len(source)]
    if wrong:
        raise DatasetError(f"episodes: {wrong} do not exist; {source.name} has 0 to {len(source) - 1}")
    pages = []
    for count, number in enumerate(episodes, start=1):
        pages.append(episode_page(source, number, tokens))
        done(count)
    write_bytes(path, page_html(source.name, _dataset_facts(source), pages))


def episode_page(source: EpisodeSource, number: int, tokens: Tokens) -> EpisodePage:
    """The content of the page for one episode; see `write_page`."""
    episode = source.episode(number)
    steps = len(episode)
    if not steps:
        raise DatasetError(f"episode {number} of {source.name} has no steps; leave it out of `episodes`")
    facts = {"steps": ""} | {name: _short(value) for name, value in episode.metadata.items()} | {"steps": str(steps)}
    videos = {
        name: video_bytes((episode.frame(name, step) for step in range(steps)), _fps(source))
        for name in episode.cameras
    }
    plots = {field: _plots(source, episode, field) for field in _fields(source)}
    return EpisodePage(
        f"Episode {number}", instruction_parts(episode), facts, videos, plots, tokens(episode), sounds(episode)
    )


def _fields(source: EpisodeSource) -> list[str]:
    """Vectors and numbers of a step: action first, then state, then other observations, then the rest."""
    found = [
        path
        for path, feature in source.features.steps.items()
        if isinstance(feature, TensorFeature) and len(feature.shape) <= 1 and feature.numpy_dtype.kind in "fiub"
    ]
    order = {"action": 0, "observation/state": 1}
    return sorted(found, key=lambda path: (order.get(path, 2), not path.startswith("observation/"), path))


def _plots(source: EpisodeSource, episode: EpisodeView, field: str) -> list[Markup]:
    values = episode.array(field).reshape(len(episode), -1).astype(np.float64)
    names = dimension_names(source, field, values.shape[1]) if values.ndim == 2 else ()
    short = field.rpartition("/")[2]
    if values.shape[1] == 1 and names == (f"{short}_0",):
        names = (short,)
    return [plot_svg(name, values[:, index]) for index, name in enumerate(names[:_MOST_NUMBERS])]


def _fps(source: EpisodeSource) -> float:
    try:
        return source.embodiment.control_hz
    except DatasetError:
        return _FPS


def _dataset_facts(source: EpisodeSource) -> dict[str, str]:
    facts = {"episodes": str(len(source))}
    try:
        robot = source.embodiment
    except DatasetError as error:
        return facts | {"robot": f"not described ({error})"}
    action = robot.action
    facts |= {"robot": robot.name, "control frequency": f"{robot.control_hz:g} Hz"}
    meaning = f"{action.mode}, frame {action.frame}, rotation {action.rotation}, gripper {action.gripper}"
    return facts | {"action": f"{meaning}, {action.controller}"}


def _short(value: Any) -> str:
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} …"
