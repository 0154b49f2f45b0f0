"""Session: the state of one episode: instruction, frames, sound, plans and random numbers."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import NotReset, ObservationError
from embodio.agent.format.instruction import AnyInstruction, distinct
from embodio.agent.format.policy_config import LONGEST_HISTORY
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.format.sound import recent
from embodio.agent.planning.embedding import RowInputs, SeenFrame, reuse
from embodio.agent.planning.ensemble import Ensemble
from embodio.agent.planning.result import ActionPlan
from embodio.model.example import Example


class Session:
    """One row of an agent: an episode independent of all others.

    Args:
        policy_format: format of the agent's inputs and outputs.
        replan: number of actions of a plan played before the next plan.
        ensemble: averages the predictions of several plans for one step; None plays the newest.
        seed: seed of its random numbers, until `reset` gives another.
        text_capacity: number of text tokens that the network reads; None for no limit.
    """

    def __init__(
        self,
        policy_format: PolicyFormat,
        replan: int,
        ensemble: Ensemble | None,
        seed: int = 0,
        text_capacity: int | None = None,
    ) -> None:
        self._format, self._replan, self._ensemble = policy_format, replan, ensemble
        self._text_capacity = text_capacity
        self.instruction: AnyInstruction | None = None
        self._shown: dict[int, SeenFrame] = {}
        self._seed = seed
        self._clear()

    def _clear(self) -> None:
        self.random = np.random.Generator(np.random.PCG64(self._seed))
        self.window: deque[dict[str, Any]] = deque(maxlen=self._format.window)
        self.frames: deque[SeenFrame] = deque(maxlen=self._format.window)
        self.goal: SeenFrame | None = None
        self.imagined: npt.NDArray[np.uint8] | None = None  # cropped as the policy sees it; replaces the observed goal
        self.step = 0
        self._sound = np.zeros(0, dtype=np.float32)
        self._segments = list[SeenFrame]()  # of the microphone, least recently used first
        self._plans: deque[tuple[int, ActionPlan]] = deque(maxlen=self._format.chunk)
        size = self._format.codec.size
        self._played: npt.NDArray[np.float32] = np.zeros((0, size), dtype=np.float32)  # those in the prompt

    def reset(self, instruction: Any = None, seed: int | None = None) -> None:
        """Starts an episode: forgets history and plans.

        Args:
            instruction: see `read_instruction`; None keeps the previous one.
            seed: seed of the random numbers; None keeps the previous one, so that an episode can be repeated.

        Raises:
            ObservationError: if the policy cannot read the instruction.
        """
        self.begin(None if instruction is None else self.read_instruction(instruction), seed)

    def read_instruction(self, given: Any) -> AnyInstruction:
        """Checks and converts an instruction; raises ObservationError if the policy cannot read it."""
        instruction = self._format.read_instruction(given)
        needed = self._format.prompt_length(instruction) + 1
        if self._text_capacity is not None and needed > self._text_capacity:
            raise ObservationError(
                f"instruction: the prompt has {needed} tokens, but this network reads {self._text_capacity}; shorten it"
            )
        return instruction

    def begin(self, instruction: AnyInstruction | None, seed: int | None) -> None:
        """`reset` with an instruction from `read_instruction`."""
        if instruction is not None:
            self.instruction = instruction
            contents = [*distinct(instruction, 3), *distinct(instruction, 1)]
            self._shown = {id(content): SeenFrame(content) for content in contents}
        if seed is not None:
            self._seed = seed
        self._clear()

    def observe(self, moment: dict[str, Any]) -> None:
        """Adds an observation from `read_observation`."""
        if self.instruction is None:
            raise NotReset("act: there is no instruction yet; call agent.reset(instruction=...) first")
        moment = self._format.seen(moment)
        if "microphone" in moment:
            self._sound = recent(np.concatenate([self._sound, moment["microphone"]]))
            moment["microphone"] = self._sound
        if self._format.config.previous_actions:
            moment["previous_actions"] = self._played
        if self._format.config.history_text:
            moment["history"] = self._past_steps()
        if self.imagined is not None:
            moment["goal"] = self.imagined
        if "goal" in moment:
            self.goal = reuse(self.goal, moment["goal"])
        if self._format.cameras:
            self.frames.append(reuse(self.frames[-1] if self.frames else None, self._format.image(moment)))
        self.window.append(moment)

    def _past_steps(self) -> list[dict[str, Any]]:
        """State and action of the steps of the history frames, oldest first, before the current one is added."""
        steps = [self.window[-age] for age in self._format.config.history_ages if age <= len(self.window)]
        return [{key: step[key] for key in ("state", "action") if key in step} for step in steps]

    def twin(self) -> Session:
        """An independent copy."""
        other = copy.copy(self)
        other.window, other.frames, other._plans = self.window.copy(), self.frames.copy(), self._plans.copy()
        other.random = copy.deepcopy(self.random)
        return other

    def return_to(self, earlier: Session, *, replan: bool) -> None:
        """Restores the state of a twin made earlier; `replan`: plan again at the next step."""
        vars(self).update(vars(earlier))
        if replan:
            self._plans.clear()

    def example(self) -> Example:
        """The Example of the current step."""
        if self.instruction is None or not self.window:
            raise NotReset("example: nothing was observed since reset; call act(observation) first")
        return self._format.example(list(self.window), self.instruction)

    def inputs(self, instruction: AnyInstruction | None = None) -> RowInputs:
        """The inputs of the current Example in the same slots, as frames that are kept between steps.

        Args:
            instruction: text that replaces the instruction with its images and sounds; None keeps it.
        """
        shown = list(self._shown.values()) if instruction is None else []
        sound, earlier = self._format.sounds(
            self.window[-1], (self.instruction or "") if instruction is None else instruction
        )
        main = {"image": self.frames[-1]} if self.frames else {}
        if sound is not None:
            main["audio"] = self._heard(sound)
        return RowInputs(main, {"image": self._history_frames(shown), "audio": [self._heard(part) for part in earlier]})

    def _heard(self, sound: npt.NDArray[np.float32]) -> SeenFrame:
        """The frame of a sound: from the instruction, from an earlier plan, or a new one."""
        if id(sound) in self._shown:
            return self._shown[id(sound)]
        known = [frame for frame in self._segments if frame.same_as(sound)]
        frame = known[0] if known else SeenFrame(sound.copy())
        others = [other for other in self._segments if other is not frame]
        self._segments = [*others[-1 - LONGEST_HISTORY :], frame]
        return frame

    def _history_frames(self, shown: list[SeenFrame]) -> list[SeenFrame]:
        """The frames of the image history in slot order; the same images as `PolicyFormat.history`."""
        config = self._format.config
        frames = [self.goal] if self.goal is not None else []
        frames += [frame for frame in shown if frame.content.ndim == 3]
        stride = config.history_stride
        reach = range(-1 - stride * config.history_frames, -1, stride)
        return frames + [self.frames[i] for i in reach if -i <= len(self.frames)]

    @property
    def seed(self) -> int:
        """The seed of the episode's random numbers."""
        return self._seed

    @property
    def needs_plan(self) -> bool:
        """Whether all actions to be played of the plan have been played."""
        if not self._plans:
            return True
        begin, plan = self._plans[-1]
        return self.step - begin >= min(self._replan, len(plan.actions))

    def take(self, plan: ActionPlan) -> None:
        """Adds a plan that starts at the current step."""
        self._plans.append((self.step, plan))

    @property
    def newest(self) -> tuple[ActionPlan, int]:
        """The newest plan and the position of the current step in it."""
        begin, plan = self._plans[-1]
        return plan, self.step - begin

    def action(self) -> npt.NDArray[np.float32]:
        """A copy of the current step's action, float32 [A]."""
        plan, position = self.newest
        if self._ensemble is None:
            return plan.actions[position].copy()
        covering = [p.actions[self.step - begin] for begin, p in self._plans if self.step - begin < len(p.actions)]
        return self._ensemble(np.stack(covering))

    def advance(self) -> None:
        """Moves on to the next step after the action was returned."""
        if self._format.config.previous_actions or self._format.config.history_text:
            self._remember(self.action()[None])
        self.step += 1

    def skip(self, actions: npt.NDArray[np.float32]) -> None:
        """Moves past actions [n, A] of a plan that were returned at once; the next step plans again."""
        self._remember(actions)
        self._plans.clear()
        self.step += len(actions)

    def _remember(self, actions: npt.NDArray[np.float32]) -> None:
        self.window[-1]["action"] = actions[0]
        kept = self._format.config.previous_actions
        if kept:
            self._played = np.concatenate([self._played, actions])[-kept:]
