"""NextAction: from one moment of a trajectory, predict the next K actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from embodio.agent.format.instruction import AnyInstruction
from embodio.agent.format.policy_format import PolicyFormat
from embodio.datasets.episodes.source import EpisodeSource
from embodio.datasets.errors import DatasetError
from embodio.datasets.tasks.parts.alternatives import require_alternatives, said
from embodio.datasets.tasks.parts.hindsight import later_step
from embodio.datasets.tasks.parts.moment_task import MomentTask, SharedConfig
from embodio.datasets.tasks.parts.scene import Change, Scene, drawn_change
from embodio.datasets.tasks.parts.spoken import SpokenInstructions
from embodio.datasets.tasks.parts.task_config import TaskConfig
from embodio.model.example import Example
from embodio.model.processing.audio_features import SAMPLE_RATE


@dataclass(frozen=True, kw_only=True)
class NextActionConfig(TaskConfig):
    """Settings of NextAction. Of the shared inputs it takes drop_state and drop_history; the policy defines the rest.

    Attributes:
        goal_ahead: with policy.goal_image: the goal is a later step, at most this many ahead (hindsight relabelling); 0
            shows the end of the episode.
        spoken: folder of instructions read aloud, one of which takes the place of the words; empty for words. The
            policy needs prompt_sounds.
        voices: of these, "held_out" for held-out voices, "known" for the others; empty for all.
        absent: share of the examples that ask for one of the absent_instructions of the data set, and have "no" for an
            answer; the policy needs policy.abstains. With `spoken` these must be read aloud there, too.
    """

    goal_ahead: int = 0
    spoken: str = ""
    voices: str = ""
    absent: float = 0.0

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        if not 0.0 <= self.absent < 1.0:
            raise DatasetError(f"tasks.next_action.absent: got {self.absent}, expected a share from 0 to below 1")
        if self.goal_ahead < 0:
            raise DatasetError(
                f"tasks.next_action.goal_ahead: got {self.goal_ahead}, expected 0 or more steps, where 0 is the end"
            )


class Demonstrated(NamedTuple):
    """A demonstration: observations, instruction and actions, as `PolicyFormat.example` takes them.

    Attributes:
        window: observations, oldest first; those that the policy does not read are empty.
        instruction: the instruction of the episode.
        actions: the actions that followed, [n, A]; none where the instruction asks for what the scene lacks.
    """

    window: list[dict[str, Any]]
    instruction: AnyInstruction
    actions: npt.NDArray[np.floating[Any]]


class NextAction(MomentTask[NextActionConfig]):
    """Behaviour cloning: image, state and instruction in, the next K actions out (paper, section D.10).

    Near the end of an episode the last action is repeated to fill the chunk. A policy of whole episodes sees the
    steps with at most K actions left, and all of these actions. The words are those of the policy's format. Without a
    generator, every n-th record asks for what the scene lacks, in the share of the settings.
    """

    name = "next_action"
    settings = NextActionConfig

    def __init__(
        self,
        source: EpisodeSource,
        policy_format: PolicyFormat,
        episodes: Sequence[int],
        config: NextActionConfig | None = None,
        shared: SharedConfig | None = None,
    ) -> None:
        super().__init__(source, policy_format, episodes, config, shared)
        self._spoken = None
        if self.config.spoken:
            if not policy_format.prompt_sounds:
                raise DatasetError("tasks.next_action.spoken: the policy reads no sounds; set policy.prompt_sounds=1")
            self._spoken = SpokenInstructions(self.config.spoken, self.config.voices)
        if self.config.absent:
            self._require_absent()

    def _require_absent(self) -> None:
        """Checks that the policy can abstain, and that something is known to be absent; raises DatasetError."""
        if not self._policy_format.config.abstains:
            raise DatasetError("tasks.next_action.absent: the policy cannot abstain; set policy.abstains=true")
        if not self.shared.absent_instructions:
            raise DatasetError(
                "tasks.next_action.absent: nothing is known to be absent; set absent_instructions, or "
                "sources.<name>.absent_instructions, to what the scenes of the data lack"
            )
        require_alternatives(self.shared.absent_instructions, "absent_instructions")
        if self._spoken is not None:
            self._spoken.require(self.shared.absent_instructions, "absent_instructions")

    @classmethod
    def draws(cls) -> bool:
        """Actions are text."""
        return False

    def _records(self, length: int) -> int:
        return length - self._first_step(length)

    def _first_step(self, length: int) -> int:
        return max(0, length - self._policy_format.chunk) if self._policy_format.whole_episode else 0

    def _reach(self) -> int:
        return max(self._policy_format.window - 1, self._policy_format.previous_actions)

    def _ahead(self) -> int:
        return self._policy_format.chunk - 1

    def _change(self, generator: np.random.Generator | None) -> Change | None:
        # Drawn even if no change is on: the order of draws is part of the meaning of a seed.
        return drawn_change(self.shared.augment, generator, self._policy_format.camera_names)

    def _example(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Example:
        return self._policy_format.example(*self._annotation(scene, index, step, generator))

    def _annotation(self, scene: Scene, index: int, step: int, generator: np.random.Generator | None) -> Demonstrated:
        goal = self._goal(len(scene), step, generator)
        with_state, with_history = self._kept(generator)
        window = self._window(scene, step) if with_history else [{}]
        window[-1] = self._present(scene, step, goal, with_state, with_history)
        last = len(scene) - 1
        ahead = range(step, step + self._policy_format.chunk)
        followed = range(step, last + 1) if self._policy_format.whole_episode else [min(later, last) for later in ahead]
        actions = scene.actions(followed)
        absent = self._absent(index, generator)
        if absent:
            actions = actions[:0]
            scene.reword(absent)
        parts: list[Any] | None
        if self._spoken is not None:
            if not absent:
                scene.draw_wording(step, None)
            told = self._spoken.said(scene.recorded_instruction, index, generator)
            parts = [(scene.spoken(told), SAMPLE_RATE)]
        elif absent:
            return Demonstrated(window, scene.instruction, actions)
        else:
            parts = scene.recorded_parts()
        if parts is not None:
            return Demonstrated(window, self._policy_format.read_instruction(parts), actions)
        scene.draw_wording(step, generator)
        return Demonstrated(window, scene.instruction, actions)

    def _absent(self, index: int, generator: np.random.Generator | None) -> str:
        """What the record asks for that the scene lacks; "" for most records."""
        share, asked = self.config.absent, self.shared.absent_instructions
        if not share:
            return ""
        if generator is None:
            round_, place = divmod(int(index * share), len(asked))
            return said(asked[place], round_, None) if int((index + 1) * share) > int(index * share) else ""
        if generator.random() >= share:
            return ""
        return said(asked[int(generator.integers(len(asked)))], 0, generator)

    def _goal(self, length: int, step: int, generator: np.random.Generator | None) -> int:
        """The step that serves as the goal."""
        return later_step(length, step, self.config.goal_ahead, generator) if self.config.goal_ahead else length - 1

    def _kept(self, generator: np.random.Generator | None) -> tuple[bool, bool]:
        """Whether the state, and earlier frames and actions, are kept."""
        inputs = self.shared.inputs
        if generator is None or not (inputs.drop_state or inputs.drop_history):
            return True, True
        chances = generator.random(2)
        return bool(chances[0] >= inputs.drop_state), bool(chances[1] >= inputs.drop_history)

    def _window(self, scene: Scene, step: int) -> list[dict[str, Any]]:
        """Observations up to the current one, which stays empty."""
        stride = self._policy_format.config.history_stride
        ages = range(min(step, self._policy_format.window - 1), 0, -1)
        return [scene.frames(step - age) if age % stride == 0 else {} for age in ages] + [{}]

    def _present(self, scene: Scene, step: int, goal: int, with_state: bool, with_history: bool) -> dict[str, Any]:
        """The part of the current observation that the policy reads."""
        policy_format = self._policy_format
        seen: dict[str, Any] = dict(scene.frames(step))
        if policy_format.config.goal_image:
            seen["goal"] = scene.picture(goal)
        if policy_format.reads_state:
            seen["state"] = scene.state(step) if with_state else None
        if policy_format.config.microphone:
            seen["microphone"] = scene.sound(step)
        if policy_format.previous_actions:
            earliest = max(0, step - policy_format.previous_actions) if with_history else step
            seen["previous_actions"] = scene.actions(range(earliest, step), "action")
        if policy_format.config.history_text:
            ages = policy_format.config.history_ages if with_history else range(0)
            seen["history"] = [self._past(scene, step - age) for age in ages if age <= step]
        return seen

    def _past(self, scene: Scene, step: int) -> dict[str, Any]:
        """The numbers of an earlier step that the policy reads."""
        state = {"state": scene.state(step)} if self._policy_format.reads_state else {}
        return {"action": scene.actions([step], "action")[0], **state}


TASK = NextAction
