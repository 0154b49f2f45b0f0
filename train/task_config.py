"""Settings of a run's data: data sets, tasks, and their mixture."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from embodio.agent.format.policy_config import PolicyConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.step_rules import IdleConfig, StepRules
from embodio.datasets.errors import DatasetError
from embodio.datasets.stream.mixture_config import MixtureConfig
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.model.config.reading import from_plain
from embodio.train.command_line.ranges import COUNT, NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import UsageError


@dataclass(frozen=True)
class SourceConfig:
    """One data set of a mixture.

    Attributes:
        data: folder, file, YAML description, or name of the catalogue.
        weight: its rate among the data sets, up to a common factor.
        category: its category, if mixture.categories are given; empty is its own name.
        folder: where the files of a catalogue name are; null looks in EMBODIO_DATA.
        split: name of the split; null takes the usual one.
        cameras: of this robot, drawn side by side; empty takes policy.cameras.
        action_key: the imitated field; empty takes that of the run.
        holdout: number of episodes, the last ones, kept for validation; null takes that of the run.
        absent_instructions: instructions for things that its scenes lack; empty takes those of the run.
        policy: what differs from the run's `policy` in the format of this robot, such as {chunk: 8}.
        augment: what differs from the run's `augment` here, such as {hue: 0} where instructions name colours.
    """

    data: str
    weight: float = 1.0
    category: str = ""
    folder: str | None = None
    split: str | None = None
    cameras: tuple[str, ...] = ()
    action_key: str = ""
    holdout: int | None = None
    absent_instructions: tuple[str, ...] = ()
    policy: dict[str, Any] = field(default_factory=dict)
    augment: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_ranges(self, "sources.<name>.", weight=NOT_NEGATIVE, holdout=COUNT)

    def format_of(self, name: str, policy: PolicyConfig) -> PolicyConfig:
        """The policy of this robot: that of the run, with the changes of the data set called `name`.

        Raises:
            ConfigError: there is no such field, or its value has another type; names it.
            CheckpointError: the result contradicts itself.
        """
        changes = self.policy | ({"cameras": self.cameras} if self.cameras else {})
        return from_plain(PolicyConfig, policy.to_dict() | changes, f"sources.{name}.policy")

    def augment_of(self, name: str, augment: AugmentConfig) -> AugmentConfig:
        """The augmentation of this data set: that of the run, with the changes of the data set called `name`.

        Raises:
            ConfigError: there is no such field, or its value has another type; names it.
            DatasetError: a value makes no sense.
        """
        return from_plain(AugmentConfig, asdict(augment) | self.augment, f"sources.{name}.augment")


@dataclass(frozen=True)
class MixtureSettings:
    """How data sets and tasks share the stream of examples.

    Attributes:
        mode: infinite draws at fixed rates; epoch visits every record of all tasks once in an epoch, whatever the
            weights.
        temperature: T; a task with n records counts n^(1/T) times its weight. 1 is by size, 2 the square root of the
            size, larger is more equal; 0 leaves sizes out.
        categories: rate of each category of data sets; within a category they share as above. Empty for none.
    """

    mode: str = "infinite"
    temperature: float = 0.0
    categories: dict[str, float] = field(default_factory=dict)

    def config(self) -> MixtureConfig:
        """The config of `Mixture`; raises DatasetError if a value makes no sense."""
        return MixtureConfig(self.mode, self.temperature, self.categories)  # type: ignore[arg-type]


@dataclass(frozen=True)
class SharedTaskSettings:
    """Settings that all tasks share; those of one task are the keys `tasks.<name>.*`.

    Attributes:
        inputs: inputs of tasks other than next_action, which follows `policy` and takes only drop_state and
            drop_history from here.
        lowest: numeric field (state), or a dimension of it (state/z) -> smallest value; steps with a smaller one are
            left out of statistics, training and validation, as steps that are not finite always are.
        highest: the same for the largest value.
        idle_action: leaves out idle steps in the same places: largest norm of an idle action, as a share of each
            dimension's range; 0 filters nothing.
        idle_state: the same for the change of the state until the next step.
    """

    inputs: InputConfig = field(default_factory=InputConfig)
    lowest: dict[str, float] = field(default_factory=dict)
    highest: dict[str, float] = field(default_factory=dict)
    idle_action: float = 0.0
    idle_state: float = 0.0

    def rules(self, action_key: str) -> StepRules:
        """Which steps are left out of a data set; raises DatasetError if a value makes no sense."""
        idle = None
        if self.idle_action:
            idle = IdleConfig(action=self.idle_action, state=self.idle_state, action_key=action_key)
        names = sorted({*self.lowest, *self.highest})
        ranges = {name: (self.lowest.get(name, -math.inf), self.highest.get(name, math.inf)) for name in names}
        return StepRules(idle=idle, ranges=ranges)

    def __post_init__(self) -> None:
        require_ranges(self, "task.", idle_action=NOT_NEGATIVE, idle_state=NOT_NEGATIVE)
        if (self.idle_action > 0) != (self.idle_state > 0):
            raise UsageError("task.idle_action and task.idle_state: give both or none; a step is idle below both")
        try:
            self.rules("action")
        except DatasetError as error:
            raise UsageError(f"task: {error}") from error
