"""Scene: one episode as pictures and tokens, with one draw of the augmentation for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embodio.datasets.augment.augment import Augmentation, EvaluationView
from embodio.datasets.episodes.recorded.images import told_in
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import FeatureError
from embodio.datasets.tasks.task_format import TaskFormat
from embodio.datasets.tasks.wordings import drawn_wording
from embodio.model.tokens.statistics import Normaliser

Change = Augmentation | EvaluationView
"""What changes pictures, state and instruction of an example."""


class Told(NamedTuple):
    """An instruction for a prompt.

    Attributes:
        parts: words, and ids that refer to the slots of the image and audio history, from 1 on.
        images: for the image history, uint8 [H, W, 3], each once.
        sounds: for the audio history, float32 [samples] at 16 kHz, each once.
    """

    parts: str | list[str | int]
    images: tuple[npt.NDArray[np.uint8], ...]
    sounds: tuple[npt.NDArray[np.float32], ...]


class Scene:
    """Reads an episode for a task.

    Args:
        form: how pictures and actions are written.
        episode: what is read.
        action_key: the field with actions.
        state: maps states to [0, 1]; None where no state is read.
        augmentation: change of what is given; None for none.
        step: whose instruction is taken.
        generator: draws one of several wordings of the instruction; None takes the first.
    """

    def __init__(
        self,
        form: TaskFormat,
        episode: EpisodeView,
        action_key: str,
        state: Normaliser | None,
        augmentation: Change | None,
        step: int,
        generator: np.random.Generator | None,
    ) -> None:
        self._form, self._episode, self._action_key = form, episode, action_key
        self._state, self._augmentation = state, augmentation
        self._wording = drawn_wording(episode, step, generator)

    def __len__(self) -> int:
        """Steps of the episode."""
        return len(self._episode)

    @property
    def instruction(self) -> str:
        """What the robot was told to do, in one of its wordings and as the augmentation has it, or nothing."""
        told = self._wording
        return told if self._augmentation is None else self._augmentation.instruction(told)

    def told(self) -> Told:
        """The instruction for a prompt, with its images and sounds.

        Raises:
            FeatureError: there are more images than the policy has slots for.
        """
        told = told_in(self._episode, self._form.prompt_images, self._form.prompt_sounds)
        if isinstance(told, str):
            return Told(self.instruction, (), ())
        images, sounds = list[npt.NDArray[Any]](), list[npt.NDArray[Any]]()
        parts: list[str | int] = []
        for part in self._form.read_instruction(told):
            if isinstance(part, str):
                parts.append(part)
            elif part.ndim == 3:
                parts.append(self._form.vocabulary.image_history_id(_slot(part, images)))
            else:
                parts.append(self._form.vocabulary.audio_history_id(_slot(part, sounds)))
        return Told(parts, tuple(images), tuple(sounds))

    @property
    def recorded_instruction(self) -> str:
        """What the robot was told to do, as it was recorded, in the same wording."""
        return self._wording

    def picture(self, step: int) -> npt.NDArray[np.uint8]:
        """The cameras at one step, uint8 [H, W, 3]."""
        frames = {name: self._episode.frame(name, step) for name in self._form.camera_names}
        if self._augmentation is not None:
            frames = {name: self._augmentation(name, frame) for name, frame in frames.items()}
        return self._form.image(frames)

    def actions(self, steps: Sequence[int] | None = None) -> npt.NDArray[np.floating[Any]]:
        """The actions of some steps, or of all, [n, A].

        Raises:
            FeatureError: an action is not finite.
        """
        found = self._episode.array(self._action_key)
        found = found if steps is None else found[np.asarray(steps, dtype=np.int64)]
        if not np.isfinite(found).all():
            raise FeatureError(f"{self._action_key} is not finite at a step that is needed. Fetch the data again")
        return found

    def actions_around(self, step: int) -> npt.NDArray[np.floating[Any]]:
        """The actions of all steps, [T, A]; that of `step` in the place of those that are not finite."""
        [present] = self.actions([step])
        found = self._episode.array(self._action_key)
        return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, present)

    def action_ids(self, steps: Sequence[int] | None = None) -> list[int]:
        """The actions of some steps, or of all, as the policy answers them; raises as `actions` does."""
        return self._form.write(self.actions(steps))

    def state_ids(self, step: int, recorded: bool = False) -> list[int]:
        """The state at one step as value tokens; `recorded` leaves out the augmentation's sensor noise.

        Raises:
            FeatureError: no state is read, or it is not finite.
        """
        if self._state is None:
            raise FeatureError("state: this task reads none; set inputs.state")
        values = np.asarray(self._episode.array("observation/state")[step], dtype=np.float64)
        if not np.isfinite(values).all():
            raise FeatureError(f"observation/state is not finite at step {step}. Fetch the data again")
        if self._augmentation is not None and not recorded:
            values = self._augmentation.state(values)
        ids = self._form.vocabulary.values_to_ids(np.clip(self._state.normalise(values), 0.0, 1.0))
        return [int(token) for token in ids]


def _slot(content: npt.NDArray[Any], found: list[npt.NDArray[Any]]) -> int:
    """Place from 1 of a content among those found so far, where it is added if it is not there."""
    place = next((i for i, other in enumerate(found, start=1) if np.array_equal(other, content)), 0)
    if not place:
        found.append(content)
    return place or len(found)
