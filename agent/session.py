"""Session: what an agent remembers of one episode: instruction, frames, sound, plans, random numbers."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.errors import NotReset, ObservationError
from embodio.agent.frames import Frame, reuse
from embodio.agent.observation import read_image
from embodio.agent.policy_format import Instruction, PolicyFormat
from embodio.agent.result import Plan
from embodio.agent.sound import longest_sound, read_sound


class Session:
    """One row: its own episode, independent of all others.

    Args:
        policy_format: of the agent.
        replan: actions of a plan that are played before the next is made.
        ensemble: see `AgentOptions`.
        seed: of its random numbers, until `reset` gives another.
    """

    def __init__(self, policy_format: PolicyFormat, replan: int, ensemble: float | None, seed: int = 0) -> None:
        self._format, self._replan, self._ensemble = policy_format, replan, ensemble
        self._binary = np.array([d.kind == "binary" for d in policy_format.codec.action.dimensions])
        self.instruction: Instruction | None = None
        self.prompt_frames: list[Frame] = []
        self._spoken: npt.NDArray[np.float32] | None = None
        self._seed = seed
        self._clear()

    def _clear(self) -> None:
        self.random = np.random.Generator(np.random.PCG64(self._seed))
        self.window: deque[dict[str, Any]] = deque(maxlen=self._format.window)
        self.frames: deque[Frame] = deque(maxlen=self._format.window)
        self.goal: Frame | None = None
        self.step = 0
        self._sound = np.zeros(0, dtype=np.float32)
        self._plans: deque[tuple[int, Plan]] = deque(maxlen=self._format.chunk)
        size = self._format.codec.size
        self._played: npt.NDArray[np.float32] = np.zeros((0, size), dtype=np.float32)  # as far as the prompt tells

    def reset(self, instruction: Any = None, seed: int | None = None) -> None:
        """Starts an episode: forgets history and plans.

        Args:
            instruction: text; words and images in order where the policy has `prompt_images`; sound with its rate,
                (samples, rate), where it has a microphone; None keeps the instruction of the episode before.
            seed: of the random numbers; None keeps the one before, so that an episode can be repeated.

        Raises:
            ObservationError: if the policy cannot read such an instruction.
        """
        if instruction is not None:
            self._instruct(instruction)
        if seed is not None:
            self._seed = seed
        self._clear()
        if self._spoken is not None:
            self._sound = self._spoken

    def _instruct(self, instruction: Any) -> None:
        config = self._format.config
        spoken = None
        if isinstance(instruction, tuple) and len(instruction) == 2 and isinstance(instruction[0], np.ndarray):
            if not config.microphone:
                raise ObservationError("instruction: sound was given, but this policy hears nothing; give text")
            spoken, instruction = read_sound("instruction", instruction, int(instruction[1])), ""
        if isinstance(instruction, str):
            words: Any = instruction
        elif isinstance(instruction, list | tuple) and config.prompt_images:
            words = [part if isinstance(part, str) else read_image("instruction", part) for part in instruction]
        else:
            expected = "text or a list of words and images" if config.prompt_images else "text"
            raise ObservationError(f"instruction: expected {expected}, got {type(instruction).__name__}")
        images = [] if isinstance(words, str) else [part for part in words if not isinstance(part, str)]
        if len(images) > config.prompt_images:
            raise ObservationError(f"instruction: {len(images)} images, but there are slots for {config.prompt_images}")
        self.instruction, self._spoken = words, spoken
        self.prompt_frames = [Frame(image) for image in images]

    def observe(self, moment: dict[str, Any]) -> None:
        """Takes in an observation that was read by `read_observation`."""
        if self.instruction is None:
            raise NotReset("act: there is no instruction yet; call agent.reset(instruction=...) first")
        moment = self._format.seen(moment)
        if "microphone" in moment:
            self._sound = np.concatenate([self._sound, moment["microphone"]])[-longest_sound() :]
            moment["microphone"] = self._sound
        if self._format.config.previous_actions:
            moment["previous_actions"] = self._played
        if "goal" in moment:
            self.goal = reuse(self.goal, moment["goal"])
        self.frames.append(reuse(self.frames[-1] if self.frames else None, self._format.image(moment)))
        self.window.append(moment)

    def history_frames(self) -> list[Frame]:
        """The frames of the image history in the order of their slots; the same images as `PolicyFormat.history`."""
        config = self._format.config
        frames = [self.goal] if self.goal is not None else []
        frames += self.prompt_frames
        stride = config.history_stride
        reach = range(-1 - stride * config.history_frames, -1, stride)
        return frames + [self.frames[i] for i in reach if -i <= len(self.frames)]

    @property
    def seed(self) -> int:
        """Of the random numbers of the episode."""
        return self._seed

    @property
    def needs_plan(self) -> bool:
        """Whether the plan is played as far as it shall be."""
        return not self._plans or self.step - self._plans[-1][0] >= self._replan

    def take(self, plan: Plan) -> None:
        """A new plan, beginning with the current step."""
        self._plans.append((self.step, plan))

    @property
    def newest(self) -> tuple[Plan, int]:
        """The newest plan and the place in it of the current step."""
        begin, plan = self._plans[-1]
        return plan, self.step - begin

    def action(self) -> npt.NDArray[np.float32]:
        """The action of the current step, float32 [A], in memory of its own."""
        plan, position = self.newest
        if self._ensemble is None:
            return plan.actions[position].copy()
        covering = [p.actions[self.step - begin] for begin, p in self._plans if self.step - begin < len(p.actions)]
        weights = np.exp(-self._ensemble * np.arange(len(covering), dtype=np.float64))
        stacked = np.stack(covering).astype(np.float64)
        mean = (weights / weights.sum()) @ stacked
        low, high = stacked.min(axis=0), stacked.max(axis=0)
        vote = np.where(mean > (low + high) / 2, high, low)
        return np.where(self._binary, vote, np.clip(mean, low, high)).astype(np.float32)

    def advance(self) -> None:
        """The action was given; go on to the next step."""
        if self._format.config.previous_actions:
            self._remember(self.action()[None])
        self.step += 1

    def skip(self, actions: npt.NDArray[np.float32]) -> None:
        """These actions [n, A] of a plan were handed out at once; what follows is planned anew."""
        self._remember(actions)
        self._plans.clear()
        self.step += len(actions)

    def _remember(self, actions: npt.NDArray[np.float32]) -> None:
        told = self._format.config.previous_actions
        if told:
            self._played = np.concatenate([self._played, actions])[-told:]
