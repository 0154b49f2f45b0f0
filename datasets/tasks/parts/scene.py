"""Scene: one episode as pictures and tokens, with one draw of the augmentation for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.augment.augment import Augmentation, EvaluationView
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.augment.slide import Slide, draw_slide
from embodio.datasets.episodes.recorded.images import instruction_for
from embodio.datasets.episodes.recorded.sound import heard
from embodio.datasets.episodes.source import EpisodeView
from embodio.datasets.errors import FeatureError
from embodio.model.tokens.statistics import Normaliser

Change = Augmentation | EvaluationView
"""The change to pictures, state and instruction of an example."""


class InstructionParts(NamedTuple):
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
        policy_format: how pictures and actions are written.
        episode: what is read.
        action_key: the field with actions.
        state: maps states to [0, 1]; None if no state is read.
        augmentation: change to the inputs; None for none.
    """

    def __init__(
        self,
        policy_format: PolicyFormat,
        episode: EpisodeView,
        action_key: str,
        state: Normaliser | None,
        augmentation: Change | None,
    ) -> None:
        self._policy_format, self._episode, self._action_key = policy_format, episode, action_key
        self._state, self._augmentation = state, augmentation
        self._wording, self._own = "", True
        self._slide: Slide | None = None
        if augmentation is not None and augmentation.slide is not None:
            form, actions = policy_format, episode.array(action_key)
            action = form.embodiment.action
            self._slide = draw_slide(augmentation.config, augmentation.slide, form.cameras, action, actions)

    def __len__(self) -> int:
        """Steps of the episode."""
        return len(self._episode)

    def draw_wording(self, step: int, generator: np.random.Generator | None) -> None:
        """Draws the paraphrase that `instruction` uses; see `drawn_wording`."""
        self._wording = drawn_wording(self._episode, step, generator)

    def reword(self, words: str) -> None:
        """Gives `instruction` words for something else than what the episode does."""
        self._wording, self._own = words, False

    @property
    def instruction(self) -> str:
        """The instruction in the drawn paraphrase, after augmentation; may be empty."""
        words = self._wording
        return words if self._augmentation is None else self._augmentation.instruction(words, self._own)

    def recorded_parts(self) -> list[Any] | None:
        """The instruction as words, images and sounds in order; None if it is words only, or only words are read.

        Light and colours of its images are augmented. Its sounds are not, as a microphone may hear the same ones.

        Raises:
            FeatureError: there are more images than the policy has slots for.
        """
        images, sounds = self._policy_format.prompt_images, self._policy_format.prompt_sounds
        recorded = instruction_for(self._episode, images, sounds) if images or sounds else ""
        if isinstance(recorded, str):
            return None
        return [self._prompt_image(part) if _is_image(part) else part for part in recorded]

    def spoken(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """An instruction read aloud, after augmentation, float32 [samples] at 16 kHz -> float32 [samples]."""
        return sound if self._augmentation is None else self._augmentation.whole_sound(sound)

    def _prompt_image(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return image if self._augmentation is None else self._augmentation.prompt_image(image)

    def instruction_parts(self) -> InstructionParts:
        """The instruction for a prompt, with its images and sounds.

        Raises:
            FeatureError: there are more images than the policy has slots for.
        """
        recorded = self.recorded_parts()
        if recorded is None:
            return InstructionParts(self.instruction, (), ())
        images, sounds = list[npt.NDArray[Any]](), list[npt.NDArray[Any]]()
        parts: list[str | int] = []
        for part in self._policy_format.read_instruction(recorded):
            if isinstance(part, str):
                parts.append(part)
            elif part.ndim == 3:
                parts.append(self._policy_format.vocabulary.image_history_id(_slot(part, images)))
            else:
                parts.append(self._policy_format.vocabulary.audio_history_id(_slot(part, sounds)))
        return InstructionParts(parts, tuple(images), tuple(sounds))

    @property
    def recorded_instruction(self) -> str:
        """The instruction in the drawn paraphrase, as recorded."""
        return self._wording

    def picture(self, step: int) -> npt.NDArray[np.uint8]:
        """The cameras at one step as one picture, uint8 [H, W, 3]."""
        return self._policy_format.image(self.frames(step))

    def frames(self, step: int) -> dict[str, npt.NDArray[np.uint8]]:
        """Name of a camera that the policy reads -> its frame at one step, uint8 [H, W, 3]."""
        frames = {name: self._episode.frame(name, step) for name in self._policy_format.camera_names}
        if self._augmentation is not None:
            frames = {name: self._augmentation(name, frame) for name, frame in frames.items()}
        if self._slide is not None:
            frames = {name: self._slide.frame(frame) for name, frame in frames.items()}
        return frames

    def sound(self, step: int) -> npt.NDArray[np.float32]:
        """The microphone's sound up to one step, float32 [samples] at 16 kHz."""
        sound = self._policy_format.sound(heard(self._episode, step))
        return sound if self._augmentation is None else self._augmentation.sound(sound)

    def state(self, step: int) -> npt.NDArray[np.floating[Any]]:
        """The state at one step, [S], with the augmentation's sensor noise."""
        state = self._episode.array("observation/state")[step]
        return state if self._augmentation is None else self._augmentation.state(state)

    def actions(self, steps: Sequence[int] | None = None, key: str = "") -> npt.NDArray[np.floating[Any]]:
        """The actions of some steps, or of all, [n, A]; `key` names a field other than the imitated one.

        Raises:
            FeatureError: an action is not finite.
        """
        key = key or self._action_key
        found = self._episode.array(key)
        found = found if steps is None else found[np.asarray(steps, dtype=np.int64)]
        if not np.isfinite(found).all():
            raise FeatureError(f"{key} is not finite at a step that is needed. Fetch the data again")
        return found if self._slide is None else self._slide.actions(found)

    def actions_around(self, step: int) -> npt.NDArray[np.floating[Any]]:
        """The actions of all steps, [T, A], with that of `step` in place of non-finite ones."""
        [present] = self.actions([step])
        found = self._episode.array(self._action_key)
        return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, present)

    def action_ids(self, steps: Sequence[int] | None = None) -> list[int]:
        """The token ids of the actions of some steps, or of all, as the policy writes them; raises as `actions`."""
        return self._policy_format.write(self.actions(steps))

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
        return [int(token) for token in self._policy_format.value_ids(self._state.normalise(values))]


def drawn_change(
    augment: AugmentConfig | None, generator: np.random.Generator | None, cameras: tuple[str, ...]
) -> Change | None:
    """One draw of the augmentation; the evaluation view without a generator, None without augmentation."""
    if augment is None:
        return None
    return EvaluationView(augment) if generator is None else Augmentation(augment, generator, cameras)


def drawn_wording(episode: EpisodeView, step: int, generator: np.random.Generator | None) -> str:
    """The instruction of one step; if it has none, that of the first or last one.

    Args:
        episode: at least one step long.
        step: from 0 to T - 1.
        generator: draws among the paraphrases; nothing is drawn if there is only one. None takes the first, which is
            the usual one.
    """
    moments = (episode.wordings(moment) for moment in dict.fromkeys((step, 0, len(episode) - 1)))
    wordings = next((found for found in moments if any(found)), ("",))
    if generator is None or len(wordings) < 2:
        return wordings[0]
    return wordings[int(generator.integers(len(wordings)))]


def _is_image(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.ndim == 3


def _slot(content: npt.NDArray[Any], found: list[npt.NDArray[Any]]) -> int:
    """The 1-based place of a content among those found so far, to which new content is added."""
    place = next((i for i, other in enumerate(found, start=1) if np.array_equal(other, content)), 0)
    if not place:
        found.append(content)
    return place or len(found)
