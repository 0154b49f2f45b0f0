"""StepFilter: excludes steps that are not finite, idle or out of range from statistics and training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.datasets.episodes.dimension_names import dimension_names
from embodio.datasets.episodes.features import TensorFeature
from embodio.datasets.episodes.fields import as_rows
from embodio.datasets.episodes.idle_steps import idle_steps
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.side_files import fingerprint, load_side_file, save_side_file
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.episodes.step_rules import StepRules
from embodio.datasets.errors import CorruptRecordError, DatasetError, FeatureError

NOT_FINITE, OUT_OF_RANGE, IDLE = "not finite", "out of range", "idle"
REASONS = (NOT_FINITE, OUT_OF_RANGE, IDLE)
_KIND, _REVISION = "steps", 1


class StepFilter:
    """Finds the steps of a data set that are excluded from training.

    Args:
        source: the data set.
        fields: numeric fields of a step that must be finite, and numbers that float32 can hold.
        rules: other steps to leave out.

    Raises:
        DatasetError: a field or dimension of the rules is not in the data set.
    """

    def __init__(self, source: EpisodeSource, fields: Sequence[str], rules: StepRules | None = None) -> None:
        self._source, self._fields, self.rules = source, tuple(fields), rules or StepRules()
        self._ranges = [(self._place(name), bounds) for name, bounds in self.rules.ranges.items()]

    def reasons(self, episode: EpisodeView) -> npt.NDArray[np.uint8]:
        """Why each step of an episode is left out, uint8 [T]: 0 for kept, else 1 + its index in `REASONS`.

        Raises:
            CorruptRecordError, FeatureError: the episode is damaged.
        """
        found = np.zeros(len(episode), np.uint8)
        if self.rules.idle is not None:
            robot = self._source.embodiment
            actions, states = episode.array(self.rules.idle.action_key), episode.array("observation/state")
            found[idle_steps(actions, states, robot.action, robot.state, self.rules.idle)] = 1 + REASONS.index(IDLE)
        for (name, dimension), (low, high) in self._ranges:
            values = _rows(episode, name)
            values = values if dimension is None else values[:, dimension : dimension + 1]
            found[((values < low) | (values > high)).any(axis=1)] = 1 + REASONS.index(OUT_OF_RANGE)
        for name in self._fields:
            found[~finite_rows(_rows(episode, name))] = 1 + REASONS.index(NOT_FINITE)
        return found

    @cached_property
    def left_out(self) -> Mapping[int, npt.NDArray[np.uint8]]:
        """Number of each episode with such steps -> `reasons`; found once, and kept with the data.

        Damaged episodes are not among them; `index_episodes` lists these.
        """
        key = fingerprint(self._source, fields=self._fields, rules=self.rules.to_json(), revision=_REVISION)
        known = load_side_file(self._source, _KIND, key)
        if not isinstance(known, dict):
            known = {"episodes": self._search()}
            save_side_file(self._source, _KIND, key, known)
        lengths = index_episodes(self._source).lengths
        found = {}
        for number, steps in known["episodes"].items():
            reasons = np.zeros(lengths[int(number)], np.uint8)
            for step, reason in steps:
                reasons[step] = reason
            found[int(number)] = reasons
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Reason -> number of steps of all episodes that are left out for it; without those of no step."""
        found = np.zeros(1 + len(REASONS), np.int64)
        for reasons in self.left_out.values():
            found += np.bincount(reasons, minlength=len(found))
        return {reason: int(count) for reason, count in zip(REASONS, found[1:], strict=True) if count}

    def _search(self) -> dict[str, list[list[int]]]:
        damaged = index_episodes(self._source).damaged
        found = {}
        for number in range(len(self._source)):
            if number in damaged:
                continue
            try:
                reasons = self.reasons(self._source.episode(number))
            except (CorruptRecordError, FeatureError):  # the loader reports and counts these
                continue
            if reasons.any():
                found[str(number)] = [[int(step), int(reasons[step])] for step in np.flatnonzero(reasons)]
        return found

    def _place(self, name: str) -> tuple[str, int | None]:
        """The field that a range is for, and the dimension; None for all."""
        if _numbers(self._source, name) is not None:
            return name, None
        owner, _, dimension = name.rpartition("/")
        feature = _numbers(self._source, owner)
        if feature is None:
            known = [path for path, other in self._source.features.steps.items() if isinstance(other, TensorFeature)]
            raise DatasetError(f"ranges.{name}: {self._source.name} has the numeric fields {', '.join(sorted(known))}")
        names = dimension_names(self._source, owner, math.prod(length or 0 for length in feature.shape))
        if dimension not in names:
            raise DatasetError(f"ranges.{name}: {owner} has the dimensions {', '.join(names)}")
        return owner, names.index(dimension)


def finite_rows(values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which rows of [T, D] are numbers that float32 can hold, bool [T]."""
    with np.errstate(over="ignore"):
        finite: npt.NDArray[np.bool_] = np.isfinite(values.astype(np.float32)).all(axis=1)
    return finite


def _rows(episode: EpisodeView, name: str) -> npt.NDArray[Any]:
    return as_rows(episode.array(name))


def _numbers(source: EpisodeSource, name: str) -> TensorFeature | None:
    feature = source.features.steps.get(name, source.features.steps.get(f"observation/{name}"))
    return feature if isinstance(feature, TensorFeature) else None
