"""The data of a policy run: open data sets, formats of robots, a mixture of tasks, and held-out episodes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.robot_formats import RobotFormats
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.cache import DEFAULT_BYTES
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.episodes.statistics import compute_statistics, policy_fields
from embodio.datasets.episodes.step_filter import StepFilter
from embodio.datasets.episodes.step_rules import StepRules
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.stream.mixture import Mixture, MixtureEntry, checked_weight
from embodio.datasets.tasks import named_task
from embodio.datasets.tasks.next_action import NextAction
from embodio.datasets.tasks.parts.kept_steps import KeptSteps
from embodio.datasets.tasks.parts.moment_task import MomentTask, SharedConfig
from embodio.datasets.tasks.parts.record_task import RecordTask
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.envs.embodiment import Embodiment
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary
from embodio.train.config import TrainConfig
from embodio.train.errors import TrainError
from embodio.train.task_config import SourceConfig

_log = logging.getLogger(__name__)
_LEAST_CACHE = 16 << 20
_USUAL_TASKS: Mapping[str, TaskConfig] = {NextAction.name: NextAction.settings()}


@dataclass(frozen=True)
class OpenSource:
    """One data set of a run.

    Attributes:
        name: in the settings.
        config: its settings.
        episodes: the data set.
        action_key: the imitated field.
        training: numbers of the episodes to learn from.
        held_out: numbers of those for validation.
        rules: rules for steps to leave out.
        augment: changes of its examples.
    """

    name: str
    config: SourceConfig
    episodes: EpisodeSource
    action_key: str
    training: range
    held_out: range
    rules: StepRules
    augment: AugmentConfig

    @cached_property
    def steps(self) -> StepFilter:
        """Finds the steps that are left out of statistics, training and validation."""
        return StepFilter(self.episodes, self.fields, self.rules)

    @property
    def fields(self) -> tuple[str, ...]:
        """The numeric fields of a step that a policy reads and writes."""
        return (self.action_key, "state") if self.episodes.embodiment.state else (self.action_key,)


@dataclass(frozen=True)
class PolicyData:
    """The data of a run.

    Attributes:
        sources: the data sets.
        formats: name of a data set -> the format of its robot.
        entries: tasks of all data sets, for training.
        training: their mixture, or the task if there is only one.
        held_out: name of an entry -> the same task on held-out episodes; without tasks that no episode fits.
        notes: readable notes on what is left out, and why.
    """

    sources: Sequence[OpenSource]
    formats: Mapping[str, PolicyFormat]
    entries: Sequence[MixtureEntry]
    training: RecordTask | Mixture
    held_out: Mapping[str, RecordTask]
    notes: Sequence[str] = ()

    @property
    def rates(self) -> Mapping[str, float]:
        """Name of an entry -> its share of the stream."""
        if not isinstance(self.training, Mixture):
            return {self.entries[0].name: 1.0}
        return dict(zip((entry.name for entry in self.entries), self.training.rates().tolist(), strict=True))

    def robots(self, default: str = "") -> RobotFormats:
        """The robots that the network learns to act for.

        Data sets with the same robot and format are one robot, named after the first of them; if it is the only one, it
        needs no name.

        Args:
            default: name of the data set whose robot acts by default; "" for none.

        Raises:
            CheckpointError: the name of a data set cannot be that of a robot.
        """
        return distinct_robots(self.formats, default)


def distinct_robots(formats: Mapping[str, PolicyFormat], default: str = "") -> RobotFormats:
    """The robots of data sets; see `PolicyData.robots`."""
    names = {
        source: next(name for name, other in formats.items() if _alike(one, other)) for source, one in formats.items()
    }
    robots = {name: formats[name] for name in names.values()}
    if len(robots) == 1:
        return RobotFormats(next(iter(robots.values())))
    return RobotFormats(robots, names[default] if default else "")


def _alike(one: PolicyFormat, other: PolicyFormat) -> bool:
    """Whether two robots have the same embodiment and format."""
    pairs = (
        (one.config, other.config),
        (one.embodiment, other.embodiment),
        (one.statistics, other.statistics),
    )
    return all(here == there for here, there in pairs)


def gather(config: TrainConfig, vocabulary: Vocabulary) -> PolicyData:
    """Opens the data sets of a run and makes its tasks.

    Raises:
        DatasetError: a data set is missing, damaged or too small, or the weights are not valid rates.
        TrainError: settings contradict each other or the data.
        AgentError, ModelError: a robot does not fit the policy's format.
    """
    opened = open_sources(config)
    formats = make_formats(config, opened, vocabulary)
    tasks = config.tasks or _USUAL_TASKS
    budget = max(_LEAST_CACHE, DEFAULT_BYTES // (len(opened) * len(tasks)))
    entries, held_out, notes = list[MixtureEntry](), dict[str, RecordTask](), list[str]()
    for one in opened:
        if one.steps.counts:
            counts = ", ".join(f"{count} {reason}" for reason, count in one.steps.counts.items())
            notes.append(f"{one.name}: steps left out of statistics, training and validation: {counts}")
        for task, settings in tasks.items():
            name = task if len(opened) == 1 else f"{one.name}/{task}"
            rate = checked_weight(one.name, one.config.weight) * checked_weight(task, settings.weight)
            made = make_task(config, one, formats[one.name], (task, settings), one.training, budget)
            if isinstance(made, KeptSteps) and made.dropped:
                total = len(made) + made.dropped
                notes.append(
                    f"{name}: {made.dropped} of {total} moments for training read such a step, and are left out"
                )
            entries.append(MixtureEntry(name, made, rate, one.config.category or one.name))
            try:
                held_out[name] = make_task(config, one, formats[one.name], (task, settings), one.held_out, budget)
            except DatasetError as error:  # they are damaged, too short or too long
                notes.append(f"{name}: no validation, as no held-out episode can be used ({error})")
    mixture = config.mixture.config()
    training = entries[0].task if len(entries) == 1 else Mixture(entries, mixture)
    return PolicyData(opened, formats, entries, training, held_out, notes)


def open_sources(config: TrainConfig) -> list[OpenSource]:
    """Opens the data sets; raises as `gather` does."""
    named = config.sources or {"data": SourceConfig(config.data)}
    opened = []
    for name, settings in named.items():
        source = open_source(settings.data, folder=settings.folder, split=settings.split)
        holdout = config.holdout if settings.holdout is None else settings.holdout
        if not 0 < holdout < len(source):
            raise TrainError(
                f"holdout: {holdout} episodes cannot be kept for validation, as {settings.data} has {len(source)}; "
                "give from 1 to one less than it has, such as holdout=1"
            )
        split = _split(source, holdout)
        key = settings.action_key or config.action_key
        parts = range(split), range(split, len(source))
        augment = settings.augment_of(name, config.augment)
        opened.append(OpenSource(name, settings, source, key, *parts, config.task.rules(key), augment))
    return opened


def _split(source: EpisodeSource, holdout: int) -> int:
    """Number of the first held-out episode: from it on, `holdout` episodes have steps. Reports empty ones."""
    index = index_episodes(source)
    empty = set(index.empty)
    if empty:
        _log.warning("%s: %s", source.name, index.empty_in_words())
    usable = [number for number in range(len(source)) if number not in empty]
    if holdout >= len(usable):
        raise TrainError(
            f"holdout: {holdout} episodes cannot be kept for validation, as {len(usable)} of {source.name} have steps"
        )
    return usable[-holdout]


def make_formats(config: TrainConfig, opened: Sequence[OpenSource], vocabulary: Vocabulary) -> dict[str, PolicyFormat]:
    """The format of each data set; data sets of one robot share their statistics."""
    formats = {}
    for one in opened:
        robot = one.episodes.embodiment
        alike = [other for other in opened if other.episodes.embodiment == robot]
        policy = one.config.format_of(one.name, config.policy_for(robot))
        policy = dataclasses.replace(policy, view=one.augment.view).seeing(robot)
        guessed = dict.fromkeys(name for other in alike for name in other.episodes.embodiment.guessed)
        robot = dataclasses.replace(robot, guessed=tuple(guessed))
        statistics = policy_statistics(alike)
        _require_ranges(policy, robot, statistics)
        formats[one.name] = PolicyFormat(policy, robot, statistics, vocabulary)
    return formats


def _require_ranges(policy: PolicyConfig, robot: Embodiment, statistics: DatasetStatistics) -> None:
    """Refuses bins that could not move an action dimension that moves in the data."""
    if policy.action_range != "quantiles":
        return
    kinds = {dimension.name: dimension.kind for dimension in robot.action.dimensions}
    lost = [name for name in statistics.field("action").outliers_only if kinds.get(name) == "continuous"]
    if lost:
        raise TrainError(
            f"policy.action_range: {', '.join(lost)} changes in so few steps that the quantiles of 1 % and 99 % are "
            "equal, so the policy could never move it. Take policy.action_range=minmax or limits"
        )


def policy_statistics(alike: Sequence[OpenSource]) -> DatasetStatistics:
    """Statistics of a policy's fields: "state", and as "action" the field that it imitates.

    Args:
        alike: data sets of one robot.
    """
    keys = {one.action_key for one in alike}
    if len(keys) > 1:
        names = ", ".join(one.name for one in alike)
        raise TrainError(
            f"action_key: {names} are of one robot, so they must imitate the same field, not {sorted(keys)}"
        )
    key = alike[0].action_key
    computed = compute_statistics(*(one.episodes for one in alike), fields=alike[0].fields, rules=alike[0].rules)
    return policy_fields(computed, key)


def make_task(
    config: TrainConfig,
    one: OpenSource,
    form: PolicyFormat,
    task: tuple[str, TaskConfig],
    episodes: range,
    cache_bytes: int,
) -> RecordTask:
    """A task of a data set, by its name and settings, without the steps that are left out.

    Raises:
        UnknownTaskError: there is no such task.
        DatasetError: no episode fits it, or no step remains.
    """
    name, settings = task
    shared = SharedConfig(
        inputs=config.task.inputs,
        action_key=one.action_key,
        augment=one.augment,
        cache_bytes=cache_bytes,
        absent_instructions=one.config.absent_instructions or config.absent_instructions,
    )
    made: MomentTask[Any] = named_task(name)(one.episodes, form, episodes, settings, shared)
    return KeptSteps(made, one.steps) if one.steps.left_out else made
