"""PolicyConfig: the input and output format of a policy, stored as plain data in its checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from embodio.agent.errors import CheckpointError
from embodio.envs.embodiment import Embodiment
from embodio.model.config.reading import added_later, from_plain
from embodio.model.errors import ConfigError
from embodio.model.tokens.vocabulary import HISTORY_SLOTS

LONGEST_HISTORY = 4
"""Number of sound segments kept before the last one."""
ALL_CAMERAS = ("all",)
"""In settings of training: every camera of the robot."""
ROUNDINGS = ("nearest", "trunc")
"""Rules by which a number becomes a bin."""
_MOST_STEPS = 10_000
"""Upper limit of actions in a chunk and of steps between frames; more would not fit into memory."""


@dataclasses.dataclass(frozen=True)
class PolicyConfig:
    """How a policy reads observations and writes actions; stored in the checkpoint as `policy.json`.

    Attributes:
        cameras: names of the cameras, placed side by side from left to right in the one image input; for embodio-train
            [all] means every camera of the data.
        history_frames: number of earlier frames in the image history (0 to 8).
        history_stride: control steps between those frames.
        chunk: K, the number of actions predicted at once; for whole episodes the largest number.
        action_bins: bins of a continuous action dimension; an odd number gives zero a bin of its own.
        action_range: the range of the bins: "limits" (the embodiment's), "minmax" or "quantiles" (the data set's).
        state_range: the same for the state; "minmax", "quantiles", "meanstd" or "limits".
        prompt: input text. `{instruction}` is replaced by plain text, `{state}` by one value token per state number,
            `{state.NAME}` by that of one number, `{image}` by the token that refers to the image input,
            `{action_space}` by a description of the action's numbers, `{previous_actions}` by tokens of earlier ones,
            `{history}` by earlier steps, see `history_text`.
        separator: text between two actions of a chunk; its tokens are forced when acting.
        action_text: text of one action, such as "{step}: pick from ( {x} {y} ) and place to ( {to_x} {to_y} )"; see
            `ActionText`. "" writes the numbers one after the other.
        whole_episode: an answer holds all actions up to the end of the episode (paper, section D.10, VIMA), and the
            network decides where that is.
        goal_image: an image of the goal is given, as the first frame of the image history.
        prompt_images: number of images that an instruction may hold; they come next in the image history, and the
            text refers to them by their tokens.
        prompt_sounds: number of segments of 4.08 s that the sounds of an instruction may have. They come first in the
            audio history, and the text refers to them by their tokens. Without a microphone, the last segment of a
            purely spoken instruction is the audio input and the earlier ones are history.
        microphone: sound is given: the last 4.08 s as the audio input, earlier segments as audio history, see
            `heard_segments`.
        previous_actions: largest number of earlier actions in the prompt.
        view: share of the area of camera frames and goal, around the centre, that the policy sees; less than 1 after
            training with random crops, which embodio-train sets.
        history_text: text of one step in `{history}`, which lists the steps of the history frames, oldest first. In it
            `{frame}` is the token of the step's frame, `{state}` and `{state.NAME}` its state, `{action}` its action.
        join_text: encode neighbouring texts of the prompt as one, without spaces around tokens, as the released
            networks were trained; false encodes each slot and each text between slots separately.
        value_rounding: how a number becomes one of the bins: nearest, or trunc as the released weights were trained.
        value_denominator: how a bin becomes a number: bin / 999 covers the whole range; 1000, which needs 1000 action
            bins, is how the reference reads VIMA's plans.
        abstains: an answer is "yes" and the actions, or "no" where the scene lacks what is asked for, which an agent
            does not play: `act` raises Declined. Training shows both with tasks.next_action.absent.
    """

    cameras: tuple[str, ...]
    history_frames: int = 0
    history_stride: int = 1
    chunk: int = 4
    action_bins: int = 201
    action_range: str = "limits"
    state_range: str = "minmax"
    prompt: str = "{instruction} State: {state}"
    separator: str = added_later("")
    action_text: str = added_later("")
    whole_episode: bool = added_later(False)
    goal_image: bool = added_later(False)
    prompt_images: int = added_later(0)
    prompt_sounds: int = added_later(0)
    microphone: bool = added_later(False)
    view: float = added_later(1.0)
    previous_actions: int = added_later(0)
    history_text: str = added_later("")
    join_text: bool = added_later(False)
    value_rounding: str = added_later("nearest")
    value_denominator: int = added_later(999)
    abstains: bool = added_later(False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cameras", tuple(self.cameras))
        if len(set(self.cameras)) < len(self.cameras):
            raise CheckpointError(f"cameras: {', '.join(self.cameras)} names one twice; give each once")
        if not self.cameras and self.history_frames:
            raise CheckpointError("history_frames: without a camera there is no history; set it to 0")
        if not 1 <= self.chunk <= _MOST_STEPS:
            raise CheckpointError(f"chunk: got {self.chunk}, expected 1 to {_MOST_STEPS} actions")
        if not 0 <= self.history_frames <= 8 or not 1 <= self.history_stride <= _MOST_STEPS:
            raise CheckpointError(
                f"history: got {self.history_frames} frames every {self.history_stride} steps, "
                f"expected 0 to 8 frames and a stride of 1 to {_MOST_STEPS}"
            )
        if self.prompt_images < 0 or self.image_slots > HISTORY_SLOTS:
            raise CheckpointError(
                f"prompt_images: history frames, goal and prompt images need {self.image_slots} slots, "
                f"there are {HISTORY_SLOTS}"
            )
        if not 0.0 < self.view <= 1.0:
            raise CheckpointError(f"view: got {self.view}, expected more than 0 and at most 1 (whole frames)")
        if self.prompt_sounds < 0 or self.sound_slots > HISTORY_SLOTS:
            raise CheckpointError(
                f"prompt_sounds: sounds of the instruction and of the microphone need {self.sound_slots} slots, there "
                f"are {HISTORY_SLOTS}"
            )
        if "{instruction}" not in self.prompt:
            raise CheckpointError(f"prompt: {self.prompt!r} has no {{instruction}}; add it, the policy needs it")
        if self.previous_actions < 0 or bool(self.previous_actions) != ("{previous_actions}" in self.prompt):
            raise CheckpointError(
                f"previous_actions: got {self.previous_actions}; give a number above 0 and {{previous_actions}} in the "
                "prompt, or neither"
            )
        if bool(self.history_text) != ("{history}" in self.prompt) or (self.history_text and not self.history_frames):
            raise CheckpointError(
                f"history_text: got {self.history_text!r} and {self.history_frames} history frames; give a text, "
                "history_frames above 0 and {history} in the prompt, or no text"
            )
        if self.value_rounding not in ROUNDINGS:
            raise CheckpointError(
                f"value_rounding: got {self.value_rounding!r}, expected one of {', '.join(ROUNDINGS)}"
            )
        if self.value_denominator != 999 and (self.value_denominator, self.action_bins) != (1000, 1000):
            raise CheckpointError(
                f"value_denominator: got {self.value_denominator}; give 999, or 1000 with action_bins=1000"
            )

    def seeing(self, embodiment: Embodiment) -> PolicyConfig:
        """Itself, with the names of the robot's cameras in place of `ALL_CAMERAS`."""
        if self.cameras != ALL_CAMERAS:
            return self
        return dataclasses.replace(self, cameras=tuple(camera.name for camera in embodiment.cameras))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self) | {"cameras": list(self.cameras)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PolicyConfig:
        """The inverse of `to_dict`.

        Raises:
            CheckpointError: if a key is unknown or missing, or its value has another type.
        """
        try:
            return from_plain(cls, values, "policy.json")
        except ConfigError as error:
            raise CheckpointError(str(error)) from error

    @property
    def image_slots(self) -> int:
        """Number of image history slots that the policy uses."""
        return self.history_frames + self.prompt_images + int(self.goal_image)

    @property
    def sound_slots(self) -> int:
        """Number of audio history slots that the policy uses."""
        return self.prompt_sounds + (LONGEST_HISTORY if self.microphone else 0)

    @property
    def reads_state(self) -> bool:
        """Whether the prompt holds the state, or numbers of it."""
        return "{state" in self.prompt or "{state" in self.history_text

    @property
    def history_ages(self) -> range:
        """The ages in control steps of the history frames, oldest first."""
        stride = self.history_stride
        return range(stride * self.history_frames, 0, -stride)

    @cached_property
    def window(self) -> int:
        """Number of control steps an agent must remember: the current one and those of the history."""
        return 1 + self.history_frames * self.history_stride
