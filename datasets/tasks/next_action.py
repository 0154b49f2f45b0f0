"""NextAction: from one moment of a trajectory, predict the next K actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.augment import Augmentation, EvaluationView
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.episodes.cache import DEFAULT_BYTES, EpisodeCache
from embodio.datasets.episodes.index import index_episodes
from embodio.datasets.episodes.recorded.images import told_in
from embodio.datasets.episodes.recorded.sound import heard
from embodio.datasets.episodes.source import EpisodeSource, EpisodeView
from embodio.datasets.errors import DatasetError, ExampleError, FeatureError
from embodio.datasets.tasks.hindsight import later_step
from embodio.datasets.tasks.record_task import Place
from embodio.datasets.tasks.wordings import drawn_wording
from embodio.model.example import Example


class ExampleBuilder(Protocol):
    """What turns observations and actions into an Example; `embodio.agent.PolicyFormat` is one."""

    @property
    def window(self) -> int:
        """Observations it reads, the current one included."""

    @property
    def chunk(self) -> int:
        """K, the actions it predicts."""

    @property
    def whole_episode(self) -> bool:
        """Whether it predicts all actions up to the end of the episode, at most `chunk`."""

    @property
    def camera_names(self) -> tuple[str, ...]:
        """The images it reads."""

    @property
    def previous_actions(self) -> int:
        """Earlier actions that it reads at most."""

    @property
    def prompt_images(self) -> int:
        """How many images an instruction may hold."""

    @property
    def prompt_sounds(self) -> int:
        """How many segments the sounds of an instruction may have."""

    def read_instruction(self, given: Any) -> str | Sequence[Any]:
        """Words, images and sounds with their rates, checked and brought into the form that `example` takes."""

    def image(self, observation: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
        """The cameras of one moment as one picture, uint8 [H, W, 3]."""

    def sound(self, pieces: Sequence[Any]) -> npt.NDArray[np.float32]:
        """All the sound so far, float32 [samples] at 16 kHz, of what the microphone gave at each step."""

    def example(
        self,
        window: Sequence[Mapping[str, Any]],
        instruction: str | Sequence[Any],
        actions: npt.ArrayLike | None = None,
    ) -> Example:
        """The Example of one moment."""


_Change = Augmentation | EvaluationView


@dataclass(frozen=True, kw_only=True)
class NextActionConfig:
    """What NextAction draws besides the augmentation.

    Attributes:
        goal_ahead: for builders that read a goal picture: it is that of a later step, at most this many ahead
            (hindsight); 0 shows the end of the episode.
        drop_state: chance that the state is left out.
        drop_history: chance that earlier frames and actions are left out, all at once.
    """

    goal_ahead: int = 0
    drop_state: float = 0.0
    drop_history: float = 0.0

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        if self.goal_ahead < 0:
            raise DatasetError(f"goal_ahead: got {self.goal_ahead}, expected steps ahead, or 0 for the end")
        for name in ("drop_state", "drop_history"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise DatasetError(f"{name}: got {getattr(self, name)}, expected a chance from 0 to 1")


class NextAction:
    """Behaviour cloning: image, state and instruction in, the next K actions out (paper, section D.10).

    Near the end of an episode the last action is repeated to fill the chunk. A policy of whole episodes is shown the
    steps from which no more than K actions are left, and all of these.

    Args:
        reader: trajectories.
        builder: makes the Example; the same object as in the agent.
        episodes: which episodes to use; damaged ones are left out and listed in `damaged`.
        action_key: "action" for what was executed, "expert_action" for the expert's clean label.
        augment: changes of images, state, instruction and sound; None for none.
        cache_bytes: memory for episodes that are kept open, in each process.
        config: what else is drawn.

    Attributes:
        damaged: the episodes among `episodes` that were found to be damaged.

    Raises:
        DatasetError: if no episode is left, or the key is not in the data set.
    """

    def __init__(
        self,
        reader: EpisodeSource,
        builder: ExampleBuilder,
        episodes: Sequence[int],
        action_key: str = "action",
        augment: AugmentConfig | None = None,
        cache_bytes: int = DEFAULT_BYTES,
        config: NextActionConfig | None = None,
    ) -> None:
        self.config = config or NextActionConfig()
        if not episodes:
            raise DatasetError("episodes: none left to train on; collect more, or hold fewer out")
        index = index_episodes(reader)
        chosen = set(episodes)
        self.damaged: tuple[ExampleError, ...] = tuple(e for e in index.errors(reader.name) if e.episode in chosen)
        self._name = reader.name
        self._builder = builder
        self._episode_ids = [i for i in episodes if index.lengths[i]]
        if not self._episode_ids:
            raise DatasetError(f"{reader.name}: all of the {len(episodes)} chosen episodes are empty or damaged")
        self._action_key = action_key
        self._augment = augment
        self._episodes = EpisodeCache(reader, cache_bytes)
        lengths = index.lengths[self._episode_ids]
        self._first = np.maximum(0, lengths - builder.chunk) if builder.whole_episode else np.zeros_like(lengths)
        self._ends = np.cumsum(lengths - self._first)

    def __len__(self) -> int:
        """Steps, each of which makes one Example."""
        return int(self._ends[-1])

    def locate(self, index: int) -> tuple[int, int]:
        """Episode and step of record `index`."""
        if not 0 <= index < len(self):
            raise DatasetError(f"record {index}: there are {len(self)}")
        place = int(np.searchsorted(self._ends, index, side="right"))
        start = int(self._ends[place - 1]) if place else 0
        return self._episode_ids[place], index - start + int(self._first[place])

    def place(self, index: int) -> Place:
        """Where record `index` comes from, for messages."""
        return Place(self._name, *self.locate(index))

    def reads(self, index: int) -> range:
        """Steps whose numbers record `index` reads or writes; they may reach beyond the end of the episode."""
        step = self.locate(index)[1]
        earlier = max(self._builder.window - 1, self._builder.previous_actions)
        return range(max(0, step - earlier), step + self._builder.chunk)

    def example(self, index: int, generator: np.random.Generator | None = None) -> Example:
        """The Example of record `index`; `generator` draws the augmentation.

        With None nothing is drawn; images are then cropped to the middle if `augment.crop` is on.
        """
        episode_id, step = self.locate(index)
        episode = self._episodes.episode(episode_id)
        augmentation: _Change | None = None
        if self._augment is not None and generator is None:
            augmentation = EvaluationView(self._augment)
        elif self._augment is not None and generator is not None:
            augmentation = Augmentation(self._augment, generator, self._builder.camera_names)
        drawn = self._draw(len(episode), step, generator)
        first = max(0, step - (self._builder.window if drawn.history else 1) + 1)
        window = [_Moment(episode, i, augmentation, self._builder, drawn) for i in range(first, step + 1)]
        actions = episode.array(self._action_key)
        chunk = actions[step:]
        if not self._builder.whole_episode:
            chunk = actions[np.minimum(np.arange(step, step + self._builder.chunk), len(actions) - 1)]
        if not np.isfinite(chunk).all():
            raise FeatureError(f"{self._action_key} is not finite at this step or soon after. Fetch the data again")
        told = told_in(episode, self._builder.prompt_images, self._builder.prompt_sounds)
        if isinstance(told, str):
            told = drawn_wording(episode, step, generator)
        if isinstance(told, str) and augmentation is not None:
            told = augmentation.instruction(told)
        return self._builder.example(window, self._builder.read_instruction(told), chunk)

    def _draw(self, length: int, step: int, generator: np.random.Generator | None) -> _Drawn:
        config = self.config
        goal = later_step(length, step, config.goal_ahead or length, generator if config.goal_ahead else None)
        if generator is None or not (config.drop_state or config.drop_history):
            return _Drawn(goal, state=True, history=True)
        chances = generator.random(2)
        return _Drawn(goal, bool(chances[0] >= config.drop_state), bool(chances[1] >= config.drop_history))


class _Drawn(NamedTuple):
    """The step that serves as the goal, and what is not left out."""

    goal: int
    state: bool
    history: bool


class _Moment(Mapping[str, Any]):
    """The observation of one step; images are decoded when they are read, sound is all so far, and all is augmented."""

    def __init__(
        self, episode: EpisodeView, step: int, augmentation: _Change | None, builder: ExampleBuilder, drawn: _Drawn
    ) -> None:
        self._episode, self._step, self._augmentation = episode, step, augmentation
        self._builder, self._drawn = builder, drawn

    def __getitem__(self, key: str) -> Any:
        if key in self._episode.cameras:
            return self._frame(key, self._step)
        if key == "goal":
            return self._builder.image(
                {name: self._frame(name, self._drawn.goal) for name in self._builder.camera_names}
            )
        if key == "previous_actions":
            return self._previous_actions()
        if key == "state" and not self._drawn.state:
            return None
        change = self._augmentation
        if key == "microphone":
            sound = self._builder.sound(heard(self._episode, self._step))
            return sound if change is None else change.sound(sound)
        value = self._episode.array(f"observation/{key}")[self._step]
        return change.state(value) if key == "state" and change is not None else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._episode.observation_keys)

    def __len__(self) -> int:
        return len(self._episode.observation_keys)

    def _frame(self, camera: str, step: int) -> npt.NDArray[np.uint8]:
        frame = self._episode.frame(camera, step)
        return frame if self._augmentation is None else self._augmentation(camera, frame)

    def _previous_actions(self) -> npt.NDArray[Any]:
        """What was executed before this step: the part that the builder writes."""
        told = self._builder.previous_actions if self._drawn.history else 0
        actions = self._episode.array("action")[max(0, self._step - told) : self._step]
        if not np.isfinite(actions).all():
            raise FeatureError("action is not finite shortly before this step. Fetch the data again")
        return actions
