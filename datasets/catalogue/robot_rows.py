"""Rows of episodes: what robots did, as examples of a robot task in the format of the run's policy."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.catalogue.held_out import without_last
from embodio.datasets.catalogue.rows import CatalogueError, TaskRow, robot_task
from embodio.datasets.episodes.digests import episode_digests
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.episodes.statistics import compute_statistics, policy_fields
from embodio.datasets.errors import ExampleError
from embodio.datasets.opening import open_source
from embodio.datasets.tasks import named_task, task_settings
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.datasets.tasks.parts.moment_task import MomentTask, SharedConfig
from embodio.datasets.tasks.parts.record_task import Place
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.model.example import Example
from embodio.model.tokens.vocabulary import Vocabulary

_CACHE = 64 << 20  # bytes of episodes that each row keeps open
_OWN = ("task", "action_key", "absent_instructions")


@dataclass(frozen=True)
class RobotReading:
    """How episodes become examples.

    Attributes:
        policy: format of the robot; its cameras may be ("all",).
        augment: changes in training.
        inputs: inputs of tasks other than next_action.
    """

    policy: PolicyConfig
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    inputs: InputConfig = field(default_factory=InputConfig)


@dataclass(frozen=True)
class EpisodesTask:
    """A robot task over some episodes of a data set, a `RecordTask` of the training stream.

    Attributes:
        task: makes the examples.
        digest: SHA-256 of the episodes, in hex.
    """

    task: MomentTask[Any]
    digest: str

    @property
    def damaged(self) -> tuple[ExampleError, ...]:
        """Damaged episodes, which are left out."""
        return self.task.damaged

    def __len__(self) -> int:
        """Moments of the episodes."""
        return len(self.task)

    def place(self, index: int) -> Place:
        """Where a record comes from, for messages."""
        return self.task.place(index)

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The example of one moment; see `MomentTask.example`."""
        return self.task.example(index, generator)


class RobotRows:
    """Opens the rows of episodes of a run; rows of one data set share the format of its robot.

    Args:
        reading: how episodes become examples.
        root: folder below which all data are.
        vocabulary: of the network.

    Attributes:
        formats: path of a data set -> the format of its robot, of those that were opened.
    """

    def __init__(self, reading: RobotReading, root: Path, vocabulary: Vocabulary) -> None:
        self._reading, self._root, self._vocabulary = reading, root, vocabulary
        self.formats: dict[str, PolicyFormat] = {}

    def open(self, row: TaskRow) -> tuple[EpisodesTask, EpisodesTask | None]:
        """The moments of a row for training and for validation; None where there are no episodes for it.

        The settings of a row are those of its task (`tasks.<name>.*` of a policy run), `task` for another task than
        that of its family, `action_key`, and `absent_instructions`. A folder of spoken instructions is given without
        its split.

        Raises:
            CatalogueError: a setting is wrong.
            DatasetError: episodes are missing or damaged, or do not fit the task or the policy.
        """
        source = open_source(self._root / row.path)
        key = str(row.settings.get("action_key", "action"))
        policy_format = self._format(row.path, source, key)
        own = {name: value for name, value in row.settings.items() if name not in _OWN}
        shared = SharedConfig(
            inputs=self._reading.inputs,
            action_key=key,
            augment=self._reading.augment,
            cache_bytes=_CACHE,
            absent_instructions=_sentences(row),
        )

        def task(episodes: EpisodeSource, numbers: range, split: str) -> EpisodesTask:
            name = robot_task(row)
            config = self._settings(row, name, own, split)
            made = named_task(name)(episodes, policy_format, numbers, config, shared)
            digests = episode_digests(episodes)[numbers.start : numbers.stop]
            return EpisodesTask(made, hashlib.sha256("".join(digests).encode()).hexdigest())

        if row.validation:
            whole = task(source, range(len(source)), "train")
            if not (self._root / row.validation).exists():
                return whole, None
            kept = open_source(self._root / row.validation)
            return whole, task(kept, range(len(kept)), "validation")
        first, rest = without_last(len(source))
        return task(source, first, "train"), task(source, rest, "validation") if rest else None

    def _settings(self, row: TaskRow, name: str, own: Mapping[str, Any], split: str) -> TaskConfig:
        kind = task_settings(name)
        known = {one.name for one in dataclasses.fields(kind)}
        for setting in own:
            if setting not in known:
                raise CatalogueError(f"{row.name}: settings.{setting}: {name} has {', '.join(sorted({*known, *_OWN}))}")
        spoken = {"spoken": str(self._root / own["spoken"] / split)} if own.get("spoken") else {}
        return kind(**{**own, **spoken})

    def _format(self, path: str, source: EpisodeSource, key: str) -> PolicyFormat:
        """The format of the robot of a data set, whose statistics are those of its training episodes."""
        if path not in self.formats:
            robot, policy = source.embodiment, self._reading.policy
            policy = dataclasses.replace(policy, view=self._reading.augment.view).seeing(robot)
            fields = (key, "state") if robot.state else (key,)
            statistics = policy_fields(compute_statistics(source, fields=fields), key)
            self.formats[path] = PolicyFormat(policy, robot, statistics, self._vocabulary)
        return self.formats[path]


def _sentences(row: TaskRow) -> tuple[str, ...]:
    """The absent instructions of a row; raises CatalogueError unless they are a list of sentences."""
    found = row.settings.get("absent_instructions", [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one.strip() for one in found):
        raise CatalogueError(f"{row.name}: settings.absent_instructions: got {found!r}, expected a list of sentences")
    return tuple(found)
