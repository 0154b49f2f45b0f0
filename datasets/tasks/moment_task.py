"""MomentTask: what tasks share that make one Example of one moment: numbering, opening episodes, prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from embodio.datasets.augment.augment import Augmentation, EvaluationView
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.cache import DEFAULT_BYTES, EpisodeCache
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.tasks.input_config import InputConfig
from embodio.datasets.tasks.inputs import Given, draw_inputs
from embodio.datasets.tasks.record_task import Place
from embodio.datasets.tasks.scene import Change, Scene
from embodio.datasets.tasks.task_format import TaskFormat
from embodio.model.example import Example
from embodio.model.tasks.base.family import Family
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.prompts.wording import shipped_wordings
from embodio.model.tokens.statistics import Normaliser


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Settings of every task.

    Attributes:
        inputs: what is given besides the present picture.
        action_key: the field with actions.
        state_range: what the value tokens of a state span: "limits" (the embodiment's), or one of the data set's.
        augment: changes of images, state and instruction; None for none.
        cache_bytes: memory for episodes that are kept open, in each process.
    """

    inputs: InputConfig = field(default_factory=InputConfig)
    action_key: str = "action"
    state_range: Literal["limits", "minmax", "quantiles", "meanstd"] = "minmax"
    augment: AugmentConfig | None = None
    cache_bytes: int = DEFAULT_BYTES


ConfigT = TypeVar("ConfigT", bound=TaskConfig)


class MomentTask(ABC, Generic[ConfigT]):
    """A RecordTask over moments of episodes. Its examples are pure functions of the index and the generator.

    Args:
        source: trajectories.
        form: how a robot is shown and written; the same object as in the agent.
        episodes: which episodes to use; damaged ones are left out and listed in `damaged`.
        config: settings of the task.

    Attributes:
        damaged: the episodes among `episodes` that were found to be damaged.
        config: settings of the task.

    Raises:
        DatasetError: no episode is left that is long enough.
        StatisticsError: the state is read and the statistics have none.
    """

    family: ClassVar[Family[Any]]
    """What is asked and answered, in which words."""

    reads_state: ClassVar[bool] = False
    """Whether the task needs the state even where it is not among the inputs."""

    def __init__(self, source: EpisodeSource, form: TaskFormat, episodes: Sequence[int], config: ConfigT) -> None:
        self.config = config
        self._form, self._name = form, source.name
        # Robot tasks write no places, so the size of the canvas does not matter.
        self._codec = TaskCodec(form.vocabulary, (1, 1), 0)
        index = index_episodes(source)
        chosen = set(episodes)
        self.damaged: tuple[ExampleError, ...] = tuple(e for e in index.errors(source.name) if e.episode in chosen)
        records = [self._records(int(index.lengths[i])) if index.lengths[i] else 0 for i in episodes]
        self._episode_ids = [i for i, count in zip(episodes, records, strict=True) if count]
        if not self._episode_ids:
            raise DatasetError(
                f"{source.name}: none of the {len(episodes)} chosen episodes fits {type(self).__name__}; they are "
                "damaged, too short or too long. Choose others, or change the settings of the task"
            )
        self._ends = np.cumsum([count for count in records if count])
        self._cache = EpisodeCache(source, config.cache_bytes)
        self._state = self._state_normaliser() if self.reads_state or config.inputs.state else None

    def __len__(self) -> int:
        """Records, each of which makes one Example."""
        return int(self._ends[-1])

    def locate(self, index: int) -> tuple[int, int]:
        """Episode and step of record `index`."""
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index}: there are {len(self)}")
        place = int(np.searchsorted(self._ends, index, side="right"))
        return self._episode_ids[place], index - (int(self._ends[place - 1]) if place else 0)

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return Place(self._name, *self.locate(index))

    def reads(self, index: int) -> range:
        """Steps whose numbers record `index` reads or writes; they may reach beyond the end of the episode."""
        step = self.locate(index)[1]
        return range(max(0, step - self.config.inputs.previous_actions), step + 1 + self._ahead())

    def _ahead(self) -> int:
        """Steps after the present one whose numbers are read at most."""
        return 0

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index`; `generator` draws all that is random.

        With None nothing is drawn; images are then cropped to the middle if `augment.crop` is on.
        """
        episode_id, step = self.locate(index)
        augmentation: Change | None = None
        if self.config.augment is not None:
            augmentation = (
                EvaluationView(self.config.augment)
                if generator is None
                else Augmentation(self.config.augment, generator, self._form.camera_names)
            )
        episode = self._cache.episode(episode_id)
        scene = Scene(self._form, episode, self.config.action_key, self._state, augmentation, step, generator)
        annotation = self._annotation(scene, index, step, generator)
        wording = shipped_wordings()[f"{self.family.name}.{self.family.group(annotation)}"].draw(generator)
        return self.family.write(annotation, wording, self._codec)

    @abstractmethod
    def _records(self, length: int) -> int:
        """Records of an episode of `length` >= 1 steps; record k of it is at step k."""

    @abstractmethod
    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Any:
        """The annotation of one step, of the class that the family has."""

    def _given(self, scene: Scene, step: int, generator: np.random.Generator | None) -> Given:
        return draw_inputs(self.config.inputs, scene, step, self._form.embodiment.action, generator)

    def _state_normaliser(self) -> Normaliser:
        if self.config.state_range == "limits":
            state = self._form.embodiment.state
            return Normaliser.from_limits([d.low for d in state], [d.high for d in state])
        return Normaliser.from_statistics(self.config.state_range, self._form.statistics.field("state"))
