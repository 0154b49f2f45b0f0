"""MomentTask: the base of tasks that make one Example from one moment: numbering, episodes, draws, prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np

from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.cache import DEFAULT_BYTES, EpisodeCache
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.tasks.parts.input_config import InputConfig
from embodio.datasets.tasks.parts.inputs import Given, draw_inputs
from embodio.datasets.tasks.parts.record_task import Place
from embodio.datasets.tasks.parts.scene import Change, Scene, drawn_change
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.model.example import Example
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.wording import shipped_wordings
from embodio.model.tokens.statistics import Normaliser, NormaliserKind


@dataclass(frozen=True, kw_only=True)
class SharedConfig:
    """Settings that the tasks of a data set share.

    Attributes:
        inputs: inputs besides the current picture.
        action_key: the field with actions: "action" for what was executed, "expert_action" for the expert's label.
        augment: changes of images, state, instruction and sound.
        cache_bytes: memory for episodes that are kept open, in each process, of each task.
        absent_instructions: what the scenes of the data set lack, in words, with alternatives in braces.
    """

    inputs: InputConfig = field(default_factory=InputConfig)
    action_key: str = "action"
    augment: AugmentConfig | None = None
    cache_bytes: int = DEFAULT_BYTES
    absent_instructions: tuple[str, ...] = ()


ConfigT = TypeVar("ConfigT", bound=TaskConfig)


class MomentTask(ABC, Generic[ConfigT]):
    """A RecordTask over moments of episodes. Its examples are pure functions of the index and the generator.

    Args:
        source: trajectories.
        policy_format: the robot's format; the same object as in the agent.
        episodes: which episodes to use; damaged ones are left out and listed in `damaged`.
        config: settings of the task, of the class `settings`; None takes the defaults.
        shared: settings that tasks share; None takes the defaults.

    Attributes:
        damaged: the damaged ones among `episodes`.
        config: settings of the task.
        shared: settings that tasks share.

    Raises:
        DatasetError: no remaining episode is long enough.
        StatisticsError: the state is read and the statistics have none.
    """

    name: ClassVar[str]
    """Name in the settings of a run."""

    settings: ClassVar[type[TaskConfig]] = TaskConfig
    """The dataclass of its settings."""

    family: ClassVar[Family[Any]]
    """The family of its annotations, with their wordings."""

    reads_state: ClassVar[bool] = False
    """Whether the task needs the state even if it is not among the inputs."""

    def __init__(
        self,
        source: EpisodeSource,
        policy_format: PolicyFormat,
        episodes: Sequence[int],
        config: ConfigT | None = None,
        shared: SharedConfig | None = None,
    ) -> None:
        self.config = cast("ConfigT", self.settings()) if config is None else config
        self.shared = shared or SharedConfig()
        self._policy_format, self._name = policy_format, source.name
        # Robot tasks write no locations, so the size of the canvas does not matter.
        self._codec = TaskCodec(policy_format.vocabulary, (1, 1), 0)
        index = index_episodes(source)
        chosen = set(episodes)
        self.damaged: tuple[ExampleError, ...] = tuple(e for e in index.errors(source.name) if e.episode in chosen)
        records = [self._records(int(index.lengths[i])) if index.lengths[i] else 0 for i in episodes]
        self._episode_ids = [i for i, count in zip(episodes, records, strict=True) if count]
        if not self._episode_ids:
            raise DatasetError(
                f"{source.name}: none of the {len(episodes)} chosen episodes fits the task {self.name}; they are "
                "damaged, too short or too long. Choose others, or change the settings of the task"
            )
        self._first = [self._first_step(int(index.lengths[i])) for i in self._episode_ids]
        self._ends = np.cumsum([count for count in records if count])
        self._cache = EpisodeCache(source, self.shared.cache_bytes)
        self._state = self._state_normaliser() if self.reads_state or self.shared.inputs.state else None

    @classmethod
    def draws(cls) -> bool:
        """Whether the answer is an image, so that training needs an image tokeniser."""
        return cls.family.modality == "image"

    def __len__(self) -> int:
        """Number of records, each of which makes one Example."""
        return int(self._ends[-1])

    def locate(self, index: int) -> tuple[int, int]:
        """Episode and step of record `index`."""
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index}: there are {len(self)}")
        place = int(np.searchsorted(self._ends, index, side="right"))
        start = int(self._ends[place - 1]) if place else 0
        return self._episode_ids[place], index - start + self._first[place]

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return Place(self._name, *self.locate(index))

    def reads(self, index: int) -> range:
        """Steps whose numbers record `index` reads or writes; they may reach beyond the end of the episode."""
        step = self.locate(index)[1]
        return range(max(0, step - self._reach()), step + 1 + self._ahead())

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index`; `generator` makes all random draws.

        With None nothing is drawn; images are then cropped to the middle if `augment.crop` is on.
        """
        episode, step = self.locate(index)
        change = self._change(generator)
        scene = Scene(self._policy_format, self._cache.episode(episode), self.shared.action_key, self._state, change)
        return self._example(scene, index, step, generator)

    def _change(self, generator: np.random.Generator | None) -> Change | None:
        """Draws the changes to pictures, state and instruction; nothing is drawn if no change is on."""
        augment = self.shared.augment
        return (
            None if augment == AugmentConfig() else drawn_change(augment, generator, self._policy_format.camera_names)
        )

    def _example(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Example:
        """Writes the annotation of one step in one of the family's wordings."""
        scene.draw_wording(step, generator)
        annotation = self._annotation(scene, index, step, generator)
        wording = shipped_wordings()[f"{self.family.name}.{self.family.group(annotation)}"].draw(generator)
        return self.family.write(annotation, wording, self._codec)

    @abstractmethod
    def _records(self, length: int) -> int:
        """Records of an episode of `length` >= 1 steps; record k of it is k steps after the first one."""

    @abstractmethod
    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Any:
        """The annotation of one step, of the family's class."""

    def _first_step(self, length: int) -> int:
        """The step of the first record of an episode of `length` steps."""
        return 0

    def _reach(self) -> int:
        """Largest number of earlier steps whose numbers are read."""
        return self.shared.inputs.previous_actions

    def _ahead(self) -> int:
        """Largest number of later steps whose numbers are read."""
        return 0

    def _given(self, scene: Scene, step: int, generator: np.random.Generator | None) -> Given:
        return draw_inputs(self.shared.inputs, scene, step, self._policy_format.embodiment.action, generator)

    def _state_normaliser(self) -> Normaliser:
        kind = self._policy_format.config.state_range
        if kind == "limits":
            state = self._policy_format.embodiment.state
            return Normaliser.from_limits([d.low for d in state], [d.high for d in state])
        return Normaliser.from_statistics(cast("NormaliserKind", kind), self._policy_format.statistics.field("state"))
