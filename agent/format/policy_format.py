"""PolicyFormat: the inputs and outputs of a policy; the only place that builds Examples from observations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import ActionError, CheckpointError, ObservationError
from embodio.agent.format.action_text import ActionText
from embodio.agent.format.codec import ActionCodec
from embodio.agent.format.grammar import Grammar
from embodio.agent.format.instruction import AnyInstruction, distinct, place_among, read_instruction
from embodio.agent.format.observation import Observation, ObservationSpec, read_observation
from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.sound import Waveform, forgotten, heard_segments, read_sound, sound_length
from embodio.envs.action_space import describe_actions
from embodio.envs.embodiment import Camera, Dimension, Embodiment
from embodio.model.example import Example
from embodio.model.processing.image import crop
from embodio.model.tasks.prompts.filling import joined
from embodio.model.tokens.statistics import DatasetStatistics, Normaliser, NormaliserKind, StatisticsError
from embodio.model.tokens.vocabulary import Vocabulary

_SLOT = re.compile(r"(\{(?:instruction|state(?:\.\w+)?|image|action_space|previous_actions|history)\})")
_PAST_SLOT = re.compile(r"(\{(?:frame|state(?:\.\w+)?|action)\})")


class PolicyFormat:
    """Builds the Example of one control step; shared by training and `Agent.act`.

    Args:
        config: the format of inputs and outputs.
        embodiment: the robot; cameras, state and action dimensions come from here.
        statistics: of the data set, for the fields "state" and "action".
        vocabulary: of the network.

    Raises:
        CheckpointError: if the config names a camera that the embodiment lacks.
        StatisticsError: if a normaliser needs a statistic that is not there.
    """

    def __init__(
        self, config: PolicyConfig, embodiment: Embodiment, statistics: DatasetStatistics, vocabulary: Vocabulary
    ) -> None:
        self.config = config
        self.embodiment = embodiment
        self.statistics = statistics
        self.vocabulary = vocabulary
        by_name = {camera.name: camera for camera in embodiment.cameras}
        unknown = [name for name in config.cameras if name not in by_name]
        if unknown:
            known = ",".join(by_name)
            raise CheckpointError(
                f"cameras: {unknown} are not on {embodiment.name}, which has {sorted(by_name)}; choose among these, "
                f"policy.cameras=[{known}]"
            )
        self.cameras: tuple[Camera, ...] = tuple(by_name[name] for name in config.cameras)
        self.codec = ActionCodec(
            embodiment.action,
            _normaliser(config.action_range, "action", embodiment.action.dimensions, statistics),
            vocabulary,
            config.action_bins,
            config.value_rounding,
            config.value_denominator,
        )
        self._state_normaliser = (
            _normaliser(config.state_range, "state", embodiment.state, statistics) if config.reads_state else None
        )
        self._prompt_parts = [part for part in _SLOT.split(config.prompt) if part]
        self._past_parts = [part for part in _PAST_SLOT.split(config.history_text) if part]
        self._state_slots = self._numbers_of_slots()
        self._prefix = vocabulary.prefix_id("text", "S")
        self.action_text = ActionText(
            self.codec, vocabulary, config.action_text, config.separator, config.whole_episode, config.abstains
        )
        if config.microphone and embodiment.microphone is None:
            raise CheckpointError(f"microphone: {embodiment.name} has none; train the policy without sound")

    @property
    def window(self) -> int:
        """Number of observations in an Example, including the current one."""
        return self.config.window

    @property
    def previous_actions(self) -> int:
        """Largest number of earlier actions in the prompt."""
        return self.config.previous_actions

    @property
    def prompt_images(self) -> int:
        """Number of images that an instruction may hold."""
        return self.config.prompt_images

    @property
    def prompt_sounds(self) -> int:
        """Number of segments of 4.08 s that the sounds of an instruction may have."""
        return self.config.prompt_sounds

    def read_instruction(self, given: Any) -> AnyInstruction:
        """Checks an instruction and converts it for `example`; raises ObservationError."""
        return read_instruction(self.config, given)

    @property
    def chunk(self) -> int:
        """K, the number of actions predicted at once."""
        return self.config.chunk

    @property
    def camera_names(self) -> tuple[str, ...]:
        """The cameras that the policy reads, from left to right."""
        return self.config.cameras

    @property
    def whole_episode(self) -> bool:
        """Whether an answer holds all actions up to the end of the episode."""
        return self.config.whole_episode

    def answer_length(self, actions: int | None = None) -> int:
        """Largest number of target tokens of `actions` actions (default: the whole chunk), without the end token."""
        return self.grammar(actions).length

    @property
    def reads_state(self) -> bool:
        """Whether the prompt holds the state."""
        return self._state_normaliser is not None

    def grammar(self, actions: int | None = None) -> Grammar:
        """The grammar of `actions` actions (default: the whole chunk)."""
        return self.action_text.grammar(actions or self.config.chunk)

    def check(self, observation: Observation) -> None:
        """Checks keys, shapes, dtypes, ranges and finiteness of one observation.

        Raises:
            ObservationError: names the field, what it should be and what it is.
        """
        read_observation(self.spec, observation)

    @property
    def spec(self) -> ObservationSpec:
        """The required content of an observation."""
        state = self.embodiment.state if self.reads_state else ()
        microphone = self.embodiment.microphone if self.config.microphone else None
        return ObservationSpec(self.cameras, state, self.config.goal_image, microphone)

    def seen(self, observation: Observation) -> dict[str, Any]:
        """Crops camera frames and goal to the centre, as set by `config.view`.

        Training does not call this: there the augmentation crops.
        """
        seen, view = dict(observation), self.config.view
        if view == 1.0:
            return seen
        seen |= {camera.name: crop(observation[camera.name], view) for camera in self.cameras}
        if "goal" in seen:  # the cameras side by side, at any scale
            ends = np.cumsum([camera.width for camera in self.cameras])
            cuts = np.rint(ends[:-1] * seen["goal"].shape[1] / ends[-1]).astype(np.int64)
            parts = [part for part in np.split(seen["goal"], cuts, axis=1) if part.size]
            seen["goal"] = np.concatenate([crop(part, view) for part in parts], axis=1)
        return seen

    def image(self, observation: Observation) -> npt.NDArray[np.uint8]:
        """The cameras side by side, uint8 [H, sum of widths, 3]; shorter ones are padded with black below."""
        frames = [observation[camera.name] for camera in self.cameras]
        height = max(len(frame) for frame in frames)
        if any(len(frame) < height for frame in frames):
            frames = [np.pad(frame, ((0, height - len(frame)), (0, 0), (0, 0))) for frame in frames]
        return np.concatenate(frames, axis=1)

    def prompt(self, observation: Observation, instruction: AnyInstruction) -> list[str | int]:
        """The input text: strings are plain text, integers are ids."""
        parts: list[str | int] = [self._prefix]
        for part in self._prompt_parts:
            if part == "{instruction}":
                parts.extend(self._words(instruction))
            elif part in self._state_slots:
                if observation["state"] is not None:  # training leaves it out now and then
                    parts.extend(self._state_ids(part, observation["state"]))
            elif part == "{image}":
                parts.append(self.vocabulary.image_input_id)
            elif part == "{action_space}":
                parts.append(describe_actions(self.embodiment.action))
            elif part == "{previous_actions}":
                parts.extend(self.write(observation["previous_actions"]))
            elif part == "{history}":
                parts.extend(self._past(observation["history"], instruction))
            else:
                parts.append(part)
        return joined(parts) if self.config.join_text else parts

    def _past(self, steps: Sequence[Observation], instruction: AnyInstruction) -> list[str | int]:
        """The text of earlier steps, each with "state", if it is read, and "action" [A]."""
        first = 1 + int(self.config.goal_image) + len(distinct(instruction, 3))
        parts = list[str | int]()
        for slot, step in enumerate(steps, start=first):
            for part in self._past_parts:
                if part == "{frame}":
                    parts.append(self.vocabulary.image_history_id(slot))
                elif part == "{action}":
                    parts.extend(self.write(step["action"]))
                elif part in self._state_slots:
                    parts.extend(self._state_ids(part, step["state"]))
                else:
                    parts.append(part)
        return parts

    def _numbers_of_slots(self) -> dict[str, list[int]]:
        """Slot of the prompt or of the history -> the numbers of the state in it; raises CheckpointError."""
        names = [dimension.name for dimension in self.embodiment.state]
        found = {"{state}": list(range(len(names)))}
        for slot in (part for part in (*self._prompt_parts, *self._past_parts) if part.startswith("{state.")):
            name = slot[len("{state.") : -1]
            if name not in names:
                raise CheckpointError(f"prompt: {self.embodiment.name} has no state {name!r}; there are {names}")
            found[slot] = [names.index(name)]
        return found

    def _state_ids(self, slot: str, state: npt.ArrayLike) -> list[int]:
        """The value tokens of a slot."""
        if self._state_normaliser is None:
            return []
        unit = self._state_normaliser.normalise(np.asarray(state, dtype=np.float64))
        ids = self.value_ids(unit)
        return [int(ids[number]) for number in self._state_slots[slot]]

    def value_ids(self, unit: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Numbers [...] scaled to [0, 1] -> value tokens int64 [...], rounded as this policy does."""
        rounding = cast(Literal["trunc", "nearest"], self.config.value_rounding)
        denominator = cast(Literal[999, 1000], self.config.value_denominator)
        clipped = np.clip(np.asarray(unit, dtype=np.float64), 0.0, 1.0)
        return self.vocabulary.values_to_ids(clipped, rounding, denominator)

    def prompt_length(self, instruction: AnyInstruction) -> int:
        """Number of tokens of the input text for an instruction, without the end token."""
        state = np.zeros(len(self.embodiment.state))
        low = np.array([d.low for d in self.embodiment.action.dimensions])
        past = [{"state": state, "action": low}] * len(self.config.history_ages)
        blank = {"state": state, "previous_actions": np.tile(low, (self.previous_actions, 1)), "history": past}
        return len(self.vocabulary.encode(self.prompt(blank, instruction)))

    def _words(self, instruction: AnyInstruction) -> list[str | int]:
        """The instruction with each image and sound replaced by the token of its slot."""
        if isinstance(instruction, str):
            return [instruction]
        pictures, sounds, before = distinct(instruction, 3), distinct(instruction, 1), int(self.config.goal_image)
        last = len(sounds) if self._only_spoken(instruction) else None
        words = list[str | int]()
        for part in instruction:
            if isinstance(part, str):
                words.append(part)
            elif part.ndim == 3:
                words.append(self.vocabulary.image_history_id(before + place_among(part, pictures)))
            elif place_among(part, sounds) == last:
                words.append(self.vocabulary.audio_input_id)
            else:
                words.append(self.vocabulary.audio_history_id(place_among(part, sounds)))
        return words

    def _only_spoken(self, instruction: AnyInstruction) -> bool:
        """Whether the instruction holds sounds only, the last of which is then the audio input."""
        heard = not isinstance(instruction, str) and len(instruction) > 0
        return (
            heard
            and not self.config.microphone
            and all(not isinstance(part, str) and part.ndim == 1 for part in instruction)
        )

    def sounds(self, observation: Observation, instruction: AnyInstruction) -> tuple[Waveform | None, list[Waveform]]:
        """The audio input and the audio history: sounds of the instruction, then earlier microphone segments.

        Args:
            observation: the current one; its "microphone" is from `sound`.
            instruction: each of its sounds has at most one segment.
        """
        given = [] if isinstance(instruction, str) else distinct(instruction, 1)
        if self.config.microphone:
            heard = heard_segments(observation["microphone"])
            return heard[-1], given + heard[:-1]
        if self._only_spoken(instruction):
            return given[-1], given[:-1]
        return None, given

    def history(self, window: Sequence[Observation], instruction: AnyInstruction) -> list[npt.NDArray[Any]]:
        """The images of the history slots in order: goal, images of the instruction, earlier frames."""
        images = [window[-1]["goal"]] if self.config.goal_image else []
        images += [] if isinstance(instruction, str) else distinct(instruction, 3)
        stride = self.config.history_stride
        reach = range(-1 - stride * self.config.history_frames, -1, stride)
        return images + [self.image(window[i]) for i in reach if -i <= len(window)]

    def sound(self, pieces: Sequence[Any]) -> Waveform:
        """The part of the sound so far that the policy hears, float32 [samples] at 16 kHz.

        Args:
            pieces: microphone recordings of the observations, in order from the start of the episode.

        Raises:
            ObservationError: a piece is not a sound, or there are no pieces.
        """
        microphone = self.embodiment.microphone
        if microphone is None:
            raise ObservationError(f"microphone: {self.embodiment.name} has none")
        if not len(pieces):
            raise ObservationError("microphone: nothing was heard; give at least one piece of sound")
        ends = np.cumsum([sound_length("microphone", piece, microphone.rate) for piece in pieces])
        begin = forgotten(int(ends[-1]))
        first = int(np.searchsorted(ends, begin, side="right"))
        read = [read_sound("microphone", piece, microphone.rate, microphone.channels) for piece in pieces[first:]]
        return np.concatenate(read)[begin - (int(ends[first - 1]) if first else 0) :]

    def example(
        self, window: Sequence[Observation], instruction: AnyInstruction, actions: npt.ArrayLike | None = None
    ) -> Example:
        """The Example of one control step.

        Args:
            window: observations up to and including the current one, oldest first, one per control step; at most
                `config.window` of them, fewer at the start of an episode. "microphone" of the last one is all the
                sound so far, from `sound`; "previous_actions" are the actions before it, [n, A]; "history" are the
                steps of the history frames, each with "state" and "action", see `history_text`.
            instruction: what the robot should do.
            actions: [K, A] the next K actions, in training; for whole episodes [n, A] with n from 1 to K; [0, A] to
                abstain, for a policy that can.

        Raises:
            ActionError: if `actions` has the wrong shape.
            ObservationError: if the window is empty.
        """
        if not window:
            raise ObservationError("window: no observation given")
        current = window[-1]
        sound, earlier = self.sounds(current, instruction)
        return Example(
            text=self.prompt(current, instruction),
            image=self.image(current) if self.cameras else None,
            image_history=tuple(self.history(window, instruction)),
            audio=sound,
            audio_history=tuple(earlier),
            text_target=None if actions is None else self._target(actions),
        )

    def _target(self, actions: npt.ArrayLike) -> list[str | int]:
        chunk = np.asarray(actions)
        longest = self.config.chunk
        counts = range(1, longest + 1) if self.whole_episode else (longest,)
        fits = chunk.ndim == 2 and (len(chunk) in counts or (self.config.abstains and not len(chunk)))
        if not fits or chunk.shape[1] != self.codec.size:
            expected = f"(1 to {longest}, {self.codec.size})" if self.whole_episode else (longest, self.codec.size)
            raise ActionError(f"actions: expected {expected}, got {chunk.shape}")
        return list(self.action_text.answer(chunk))

    def write(self, actions: npt.ArrayLike) -> list[int]:
        """Actions [n, A] -> token ids, without the end token; raises ActionError."""
        return self.action_text.write(actions)

    def actions(self, ids: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Answer tokens [T] -> actions float32 [n, A]; [..., T] -> [..., n, A] for answers of equal length.

        The answer "no" of a policy that abstains has no actions, [0, A].

        Raises:
            ActionError: if the tokens are not a whole number of actions, or an id is not legal at its position.
        """
        tokens = np.asarray(ids)
        if tokens.ndim < 2:
            return self.action_text.read_answer(tokens)
        return np.stack([self.actions(row) for row in tokens])


def _normaliser(kind: str, field: str, dimensions: Sequence[Dimension], statistics: DatasetStatistics) -> Normaliser:
    if kind == "limits":
        return Normaliser.from_limits([d.low for d in dimensions], [d.high for d in dimensions])
    found, names = statistics.field(field), tuple(d.name for d in dimensions)
    if found.names != names:
        raise StatisticsError(
            f"{field}: the statistics ({statistics.source}) are of {found.names}, but the robot has {names}; take "
            "those of a data set of this robot"
        )
    return Normaliser.from_statistics(cast(NormaliserKind, kind), found)
