"""The choice of episodes to replay, spread over the tasks of a data set and over the episodes of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import DatasetError

T = TypeVar("T")
_LOOKED_AT = 1000  # episodes, evenly spread; opening more would take longer than replaying some


def choose_episodes(source: EpisodeSource, numbers: Sequence[int], count: int) -> list[int]:
    """Chooses episodes of as many tasks as possible; those that cannot be read are left out.

    Args:
        source: the data set.
        numbers: of the episodes to choose from.
        count: the maximum number to choose.
    """
    labels = {}
    for number in _spread(numbers, _LOOKED_AT):
        try:
            labels[number] = _task(source.episode(number))
        except DatasetError:  # damaged; `verify` counts these
            continue
    return spread_over_tasks(labels, count)


def spread_over_tasks(labels: Mapping[int, str], count: int) -> list[int]:
    """Chooses `count` numbers (or all, if there are fewer): equally many of each label, spread within it.

    Args:
        labels: number of an episode -> its task.
        count: the number to choose.
    """
    groups: dict[str, list[int]] = {}
    for number, label in labels.items():
        groups.setdefault(label, []).append(number)
    names = _spread(list(groups), count)
    shares, left = dict.fromkeys(names, 0), min(count, len(labels))
    while left:
        open_groups = [name for name in names if shares[name] < len(groups[name])][:left]
        for name in open_groups:
            shares[name] += 1
        left -= len(open_groups)
    return sorted(number for name, share in shares.items() for number in _spread(groups[name], share))


def _spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly spaced; the first is among them."""
    if len(items) <= count:
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _task(episode: EpisodeView) -> str:
    """The identity of an episode's task: its name, or environment and instruction."""
    known = {path.rpartition("/")[2]: value for path, value in episode.metadata.items()}
    return str(known["task"]) if "task" in known else f"{known.get('environment', '')}: {episode.instruction}"
