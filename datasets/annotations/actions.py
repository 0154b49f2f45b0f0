"""Recorded actions of robots: what was done at some steps of episodes, with what was observed there and before.

    {family: act, format: actions, file: reach/validation, reading: {moments: 10}}

Any data set of episodes that `embodio.datasets.opening` opens. A network is asked in the words of its own policy; what
it reads of earlier steps is what was recorded. Episodes are not held in memory.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from embodio.datasets.annotations.parts.item import AnnotatedItem, AnnotatedItems, Kind, expecting, require_distinct
from embodio.datasets.episodes.recorded.images import prompt_of
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import AnnotationError, DatasetError
from embodio.datasets.metrics.parts.episodes import ActionSeries
from embodio.datasets.opening import open_source
from embodio.model.tasks.base.family import InputMedia


def read_actions(
    file: Path,
    folder: Path,
    kind: Kind,
    *,
    action_key: str = "action",
    moments: int = 10,
    steps: int = 1,
    earlier: int = 0,
) -> AnnotatedItems:
    """Some steps of each episode of a data set; episodes with fewer than `steps` of them have none.

    Args:
        file: folder of the data set.
        folder: not used, as episodes bring their own pictures.
        kind: `act`.
        action_key: the field with the actions that are right, such as expert_action.
        moments: steps of each episode, evenly spaced; all where there are fewer.
        steps: actions from each of them on, at most those that a policy plans at once.
        earlier: steps before each of them that are shown, as many as a policy reads.

    Raises:
        AnnotationError: there is no such data set or field, or a number is too small.
    """
    if moments < 1 or steps < 1 or earlier < 0:
        raise AnnotationError(
            f"{file}: moments, steps and earlier: got {moments}, {steps} and {earlier}, expected at least 1, 1 and 0"
        )
    found: list[AnnotatedItem] = []
    try:
        source = open_source(file)
        if action_key not in source.features.steps:
            known = ", ".join(source.features.steps)
            raise AnnotationError(f"{file}: action_key: there is no {action_key!r}; there are {known}")
        source.embodiment  # noqa: B018  # raises where the data set does not say
        for number in range(len(source)):
            last = source.episode_length(number) - steps
            for step in np.unique(np.linspace(0, last, moments).round().astype(int)).tolist() if last >= 0 else []:
                make = partial(_series, source, number, step, action_key, steps, earlier, str(file))
                found.append(AnnotatedItem(f"{number}/{step}", str(number), make))
    except AnnotationError:
        raise
    except DatasetError as error:
        raise AnnotationError(f"{file}: {error}") from error
    return AnnotatedItems(tuple(require_distinct(found, file)))


def _series(
    source: EpisodeSource, number: int, step: int, action_key: str, steps: int, earlier: int, file: str
) -> ActionSeries:
    """The actions of an episode from a step on; raises AnnotationError."""
    where = f"{file}, step {step} of episode {number}"
    try:
        with expecting(where, "an episode with actions, and the observations of its robot"):
            episode = source.episode(number)
            shown = range(max(0, step - earlier), step + 1)
            limits = [[getattr(one, end) for one in source.embodiment.action.dimensions] for end in ("low", "high")]
            return ActionSeries(
                embodiment=source.embodiment,
                instruction=prompt_of(episode),
                step=step,
                count=steps,
                media=InputMedia(image=episode.frame(episode.cameras[0], step) if episode.cameras else None),
                observations=tuple(_observed(episode, one) for one in shown),
                played=np.asarray(episode.array("action")[shown.start : step], dtype=np.float32),
                actions=np.asarray(episode.array(action_key)[step : step + steps], dtype=np.float64),
                limits=np.array(limits),
            )
    except AnnotationError:
        raise
    except DatasetError as error:
        raise AnnotationError(f"{where}: {error}") from error


def _observed(episode: EpisodeView, step: int) -> dict[str, Any]:
    """The cameras and the state at a step, as an environment gives them."""
    seen: dict[str, Any] = {name: episode.frame(name, step) for name in episode.cameras}
    if "state" in episode.observation_keys:
        seen["state"] = episode.array("observation/state")[step]
    return seen


READ = read_actions
FAMILIES = ("act",)
