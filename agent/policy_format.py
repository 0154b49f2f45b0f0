"""PolicyFormat: what a policy is told and what it answers; the one place where observations become Examples."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from embodio.agent.codec import ActionCodec
from embodio.agent.errors import ActionError, CheckpointError, ObservationError
from embodio.agent.grammar import Grammar
from embodio.agent.observation import Observation, ObservationSpec, read_observation
from embodio.agent.sound import latest_segments
from embodio.envs.action_space import describe_actions
from embodio.envs.embodiment import Camera, Dimension, Embodiment
from embodio.model.example import Example
from embodio.model.image_crop import crop
from embodio.model.statistics import DatasetStatistics, Normaliser, NormaliserKind, StatisticsError
from embodio.model.vocabulary import HISTORY_SLOTS, Vocabulary

Instruction = str | Sequence[Any]
"""Words, or words and images (uint8 [H, W, 3]) in order where the policy has `prompt_images`."""
_LATER = {"separator", "goal_image", "prompt_images", "microphone", "view", "previous_actions"}
"""Keys that checkpoints of the first version do not have; there they are off."""
_SLOT = re.compile(r"(\{(?:instruction|state|action_space|previous_actions)\})")


@dataclasses.dataclass(frozen=True)
class PolicyConfig:
    """How a policy reads a robot and writes its actions; travels in the checkpoint as `policy.json`.

    Attributes:
        cameras: names of the cameras, drawn side by side from left to right as the one image input.
        history_frames: how many earlier frames are given as image history (0 to 8).
        history_stride: control steps between those frames.
        chunk: K, actions that are predicted at once.
        action_bins: levels of a continuous action dimension; an odd number makes zero a level.
        action_range: what the levels span: "limits" (the embodiment's), "minmax" or "quantiles" (the data set's).
        state_range: the same for the state; "minmax", "quantiles", "meanstd" or "limits".
        prompt: input text. `{instruction}` is replaced by plain text, `{state}` by one value token per state number,
            `{action_space}` by what the numbers of an action mean, `{previous_actions}` by tokens of earlier actions.
        separator: text between two actions of a chunk; its tokens are forced when acting.
        goal_image: a picture of the goal is given, as the first frame of the image history.
        prompt_images: how many images an instruction may hold; they come next in the image history, and the text
            refers to them by their tokens.
        microphone: sound is given: the last 4.08 s as the audio input, what was before as audio history.
        previous_actions: how many of the actions played before, at most, stand in the prompt.
        view: share of the area of camera frames and goal that is seen, around the middle; less than 1 after training
            with random crops, which embodio-train takes care of.
    """

    cameras: tuple[str, ...]
    history_frames: int = 0
    history_stride: int = 1
    chunk: int = 4
    action_bins: int = 201
    action_range: str = "limits"
    state_range: str = "minmax"
    prompt: str = "{instruction} State: {state}"
    separator: str = ""
    goal_image: bool = False
    prompt_images: int = 0
    microphone: bool = False
    view: float = 1.0
    previous_actions: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(self.cameras))
        if not self.cameras:
            raise CheckpointError("cameras: a policy needs at least one camera")
        if self.chunk < 1:
            raise CheckpointError(f"chunk: got {self.chunk}, expected at least 1 action")
        if not 0 <= self.history_frames <= 8 or self.history_stride < 1:
            raise CheckpointError(
                f"history: got {self.history_frames} frames every {self.history_stride} steps, "
                "expected 0 to 8 frames and a stride of at least 1"
            )
        if self.prompt_images < 0 or self.image_slots > HISTORY_SLOTS:
            raise CheckpointError(
                f"prompt_images: history frames, goal and prompt images need {self.image_slots} slots, "
                f"there are {HISTORY_SLOTS}"
            )
        if not 0.0 < self.view <= 1.0:
            raise CheckpointError(f"view: got {self.view}, expected more than 0 and at most 1 (whole frames)")
        if "{instruction}" not in self.prompt:
            raise CheckpointError(f"prompt: {self.prompt!r} has no {{instruction}}; the policy would never be told")
        if self.previous_actions < 0 or bool(self.previous_actions) != ("{previous_actions}" in self.prompt):
            raise CheckpointError(
                f"previous_actions: got {self.previous_actions}; give a number above 0 and {{previous_actions}} in the "
                "prompt, or neither"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self) | {"cameras": list(self.cameras)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PolicyConfig:
        """The inverse of `to_dict`.

        Raises:
            CheckpointError: if a key is unknown or missing.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        wrong = sorted((set(values) ^ known) - (_LATER - set(values)))
        if wrong:
            raise CheckpointError(f"policy.json: unknown or missing keys {wrong}; expected exactly {sorted(known)}")
        return cls(**values)

    @property
    def image_slots(self) -> int:
        """Slots of the image history that the policy uses."""
        return self.history_frames + self.prompt_images + int(self.goal_image)

    @property
    def window(self) -> int:
        """Control steps an agent must remember: the current one and those that the history reaches back to."""
        return 1 + self.history_frames * self.history_stride


class PolicyFormat:
    """Builds the Example of a moment on a robot; used alike in training and in `Agent.act`.

    Args:
        config: how the policy reads and writes.
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
            raise CheckpointError(f"cameras: {unknown} are not on {embodiment.name}, which has {sorted(by_name)}")
        self.cameras: tuple[Camera, ...] = tuple(by_name[name] for name in config.cameras)
        if len({camera.height for camera in self.cameras}) > 1:
            raise CheckpointError("cameras: side by side they must have one height; resize them in the environment")
        self.codec = ActionCodec(
            embodiment.action,
            _normaliser(config.action_range, "action", embodiment.action.dimensions, statistics),
            vocabulary,
            config.action_bins,
        )
        self._state_normaliser = (
            _normaliser(config.state_range, "state", embodiment.state, statistics)
            if "{state}" in config.prompt
            else None
        )
        self._prompt_parts = [part for part in _SLOT.split(config.prompt) if part]
        self._prefix = vocabulary.prefix_id("text", "S")
        self.separator_ids = tuple(vocabulary.encode(config.separator)) if config.separator else ()
        if config.microphone and embodiment.microphone is None:
            raise CheckpointError(f"microphone: {embodiment.name} has none; train the policy without sound")

    @property
    def window(self) -> int:
        """Observations that an Example is made of, the current one included."""
        return self.config.window

    @property
    def previous_actions(self) -> int:
        """Earlier actions that the prompt tells of at most."""
        return self.config.previous_actions

    @property
    def chunk(self) -> int:
        """K, the actions that are predicted at once."""
        return self.config.chunk

    @property
    def camera_names(self) -> tuple[str, ...]:
        """The cameras that are read, in the order in which they are drawn."""
        return self.config.cameras

    @property
    def answer_length(self) -> int:
        """Target tokens of one chunk, without the end of the text."""
        return self.grammar().length

    @property
    def reads_state(self) -> bool:
        """Whether the prompt holds the state."""
        return self._state_normaliser is not None

    def grammar(self, actions: int | None = None) -> Grammar:
        """What an answer of `actions` actions (all of the chunk by default) may look like."""
        return Grammar.of_chunk(self.codec.legal_ids, actions or self.config.chunk, self.separator_ids)

    def legal_ids(self, actions: int | None = None) -> list[npt.NDArray[np.int64]]:
        """The ids that may stand at each position of an answer of `actions` actions (all of the chunk by default)."""
        return list(self.grammar(actions).legal)

    def check(self, observation: Observation) -> None:
        """Checks keys, shapes, dtypes, ranges and finiteness of one observation.

        Raises:
            ObservationError: naming the field, what it should be and what it is.
        """
        read_observation(self.spec, observation)

    @property
    def spec(self) -> ObservationSpec:
        """What an observation must hold."""
        state = self.embodiment.state if self.reads_state else ()
        microphone = self.embodiment.microphone if self.config.microphone else None
        return ObservationSpec(self.cameras, state, self.config.goal_image, microphone)

    def seen(self, observation: Observation) -> dict[str, Any]:
        """What an agent sees of an observation: camera frames and goal cut to the middle, as `config.view` says.

        Training does not call this, since there the augmentation crops.
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
        """The cameras side by side, uint8 [H, sum of widths, 3]."""
        return np.concatenate([observation[camera.name] for camera in self.cameras], axis=1)

    def prompt(self, observation: Observation, instruction: Instruction) -> list[str | int]:
        """The input text: strings are plain text, integers are ids."""
        parts: list[str | int] = [self._prefix]
        for part in self._prompt_parts:
            if part == "{instruction}":
                parts.extend(self._words(instruction))
            elif part == "{state}" and self._state_normaliser is not None:
                if observation["state"] is not None:  # training leaves it out now and then
                    unit = self._state_normaliser.normalise(np.asarray(observation["state"], dtype=np.float64))
                    ids = self.vocabulary.values_to_ids(np.clip(unit, 0.0, 1.0), rounding="nearest")
                    parts.extend(int(token) for token in ids)
            elif part == "{action_space}":
                parts.append(describe_actions(self.embodiment.action))
            elif part == "{previous_actions}":
                parts.extend(self._action_ids(observation["previous_actions"]))
            else:
                parts.append(part)
        return parts

    def _action_ids(self, actions: npt.ArrayLike) -> list[int]:
        """The tokens of actions [n, A], with the separator between them."""
        tokens: list[int] = []
        for index, ids in enumerate(self.codec.encode(actions)):
            tokens += [*(self.separator_ids if index else ()), *ids.tolist()]
        return tokens

    def _words(self, instruction: Instruction) -> list[str | int]:
        """The instruction with each image replaced by the token that refers to its slot."""
        if isinstance(instruction, str):
            return [instruction]
        slot, words = 1 + int(self.config.goal_image), list[str | int]()
        for part in instruction:
            if isinstance(part, str):
                words.append(part)
            else:
                words.append(self.vocabulary.image_history_id(slot))
                slot += 1
        return words

    def history(self, window: Sequence[Observation], instruction: Instruction) -> list[npt.NDArray[Any]]:
        """The images of the history slots in order: the goal, the images of the instruction, earlier frames."""
        images = [window[-1]["goal"]] if self.config.goal_image else []
        if not isinstance(instruction, str):
            images += [part for part in instruction if not isinstance(part, str)]
        stride = self.config.history_stride
        reach = range(-1 - stride * self.config.history_frames, -1, stride)
        return images + [self.image(window[i]) for i in reach if -i <= len(window)]

    def example(
        self, window: Sequence[Observation], instruction: Instruction, actions: npt.ArrayLike | None = None
    ) -> Example:
        """The Example of one moment.

        Args:
            window: observations up to and including the current one, oldest first, one per control step; at most
                `config.window` of them, fewer at the start of an episode. "microphone" in the last one is all the
                sound so far, float32 [samples] at 16 kHz; "previous_actions" the actions before it, [n, A].
            instruction: what the robot shall do.
            actions: [K, A] the next K actions, in training.

        Raises:
            ActionError: if `actions` has another shape than [K, A].
            ObservationError: if the window is empty.
        """
        if not window:
            raise ObservationError("window: no observation given")
        current = window[-1]
        target = None
        if actions is not None:
            chunk = np.asarray(actions)
            if chunk.shape != (self.config.chunk, self.codec.size):
                raise ActionError(f"actions: expected {(self.config.chunk, self.codec.size)}, got {chunk.shape}")
            target = self._action_ids(chunk)
        sounds = latest_segments(current["microphone"]) if self.config.microphone else []
        return Example(
            text=self.prompt(current, instruction),
            image=self.image(current),
            image_history=tuple(self.history(window, instruction)),
            audio=sounds[-1] if sounds else None,
            audio_history=tuple(sounds[:-1]),
            text_target=target,
        )

    def actions(self, ids: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Answer tokens [..., T] of n actions -> actions float32 [..., n, A]; separators are left out.

        Raises:
            ActionError: if the length is not that of some actions, or an id is not legal at its place.
        """
        tokens = np.asarray(ids)
        gap = len(self.separator_ids)
        if (tokens.shape[-1] + gap) % (self.codec.size + gap):
            raise ActionError(
                f"action tokens: {tokens.shape[-1]} are no whole number of actions; decode with `grammar`"
            )
        pad = [(0, 0)] * (tokens.ndim - 1) + [(0, gap)]
        whole = np.pad(tokens, pad).reshape(*tokens.shape[:-1], -1, self.codec.size + gap)
        return self.codec.decode(whole[..., : self.codec.size])


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
