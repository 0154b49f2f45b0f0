"""Verbs of an agent besides acting, with the same weights: describe, ask, imagine a goal, judge an action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.agent.answers import Judgement
from embodio.agent.errors import ActionError, CannotDo, NotReset, ObservationError
from embodio.agent.format.arrays import to_array, to_number
from embodio.agent.format.observation import Observation, batch_size, read_image, read_observation
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.options import MOST_GUIDANCE
from embodio.agent.planning.result import Distributions
from embodio.agent.planning.runtime import Runtime
from embodio.agent.planning.session import Session
from embodio.model.network.network import UnifiedIO2
from embodio.model.processing.video_files import Clip
from embodio.model.tasks import TaskRunner, TextAnswer

Pixels = npt.NDArray[np.uint8]
_LAST_SEED = 2**63 - 1


class BeyondActing:
    """The verbs of `Agent` besides acting. They leave the episodes and their random numbers unchanged.

    The quality of the answers depends on the training data: a network trained on demonstrations alone describes badly.
    All verbs raise TaskError for a text that is longer than the network reads.
    """

    model: UnifiedIO2
    format: PolicyFormat
    runtime: Runtime
    _rows: list[Session]
    _distributions: Distributions

    @cached_property
    def tasks(self) -> TaskRunner:
        """Runs any task with the network: words, places, maps, pictures and sounds; see docs/model.md."""
        return TaskRunner(self.model, self.format.vocabulary)

    def describe(self, frames: Any = None, *, row: int = 0) -> TextAnswer:
        """Captions one image, or infers from several the instruction that the robot follows.

        Args:
            frames: an RGB image, or several, oldest first: uint8 or float in [0, 1], [H, W, 3] or [3, H, W], of any
                size; None for the observation of the last `act`.
            row: row of a vector environment if `frames` is None.

        Raises:
            ObservationError: a frame is malformed, or there are no frames.
            CannotDo: there are more frames than the network reads.
            NotReset: nothing was observed yet.
        """
        images = [self._scene(None, row)] if frames is None else _read_frames(frames)
        if len(images) == 1:
            return self.tasks.caption_images(images)[0]
        config = self.model.config
        most = 1 + (config.sampling.num_frames if "image_history" in config.input_modalities else 0)
        if len(images) > most:
            raise CannotDo(f"frames: {len(images)} were given, but the network reads {most}; give the last {most}")
        return self.tasks.describe_tasks([Clip(tuple(images))])[0]

    def ask(
        self,
        question: str,
        observation: Observation | None = None,
        *,
        answers: Sequence[str] | None = None,
        row: int = 0,
    ) -> TextAnswer:
        """Answers a question about the images of the policy's cameras.

        Args:
            question: the question as text.
            observation: an observation with at least the camera images; None for that of the last `act`.
            answers: possible answers, one of which is returned; None for free text.
            row: row of a vector environment if `observation` is None.

        Raises:
            ObservationError: the question or an answer is empty, or an image is malformed.
            NotReset: nothing was observed yet.
        """
        words, choices = _text("question", question), None if answers is None else _texts("answers", answers)
        return self.tasks.answer_questions([self._scene(observation, row)], [words], answers=choices)[0]

    def imagine(
        self,
        instruction: str | None = None,
        observation: Observation | None = None,
        *,
        seed: int = 0,
        guidance: float = 0.0,
        row: int = 0,
    ) -> Pixels:
        """Generates the camera images expected after the instruction is carried out.

        Args:
            instruction: the instruction as text; None for that of the episode.
            observation: an observation with at least the camera images; None for that of the last `act`.
            seed: seed of the sampling; the episode's random numbers are not used.
            guidance: scale of classifier-free guidance, 0 for none; the paper uses 10.
            row: row of a vector environment if `observation` is None.

        Returns:
            uint8 [H, W, 3], the cameras side by side as the policy sees them; a goal for policies that read one.

        Raises:
            CannotDo: the checkpoint cannot generate images.
            ObservationError: the instruction is not text, an image is malformed, or a number is out of range.
            NotReset: there is no instruction, or nothing was observed yet.
        """
        if "image" not in self.model.config.target_modalities or "image" not in self.model.tokenizers:
            raise CannotDo(
                "imagine: this checkpoint draws no images; take one whose network has image targets and its image "
                "tokeniser (UnifiedIO2(config, tokenizers=True), from which save_checkpoint keeps it)"
            )
        if instruction is None:
            given = self._session(row).instruction
            if given is None:
                raise NotReset("imagine: there is no instruction; give one, or call agent.reset(instruction=...) first")
            if not isinstance(given, str):
                raise ObservationError("instruction: this episode was told by sounds or images; give it in words here")
        else:
            given = instruction
        words, scene = _text("instruction", given), self._scene(observation, row)
        scale, number = (
            to_number("guidance", guidance, 0, MOST_GUIDANCE),
            to_number("seed", seed, 0, _LAST_SEED, whole=True),
        )
        return self.tasks.goals([[scene]], [words], guidance=scale, seeds=[int(number)])[0].image

    def judge(
        self,
        action: npt.ArrayLike,
        observation: Observation | None = None,
        *,
        threshold: float = 0.05,
        row: int = 0,
    ) -> Judgement:
        """Scores a proposed action under the policy and the episode's instruction, without guidance.

        Args:
            action: [A] in the embodiment's units, or [n, A] for the first n of a chunk; each number is judged by the
                nearest level.
            observation: the observation of the next step; None for that of the last `act`.
            threshold: threshold of `Judgement.accepted`, 0 to 1.
            row: row of a vector environment.

        Raises:
            ActionError: the action has the wrong shape, is not finite or is beyond the robot's limits.
            ObservationError: the observation is malformed, or `threshold` is not a probability.
            NotReset: there is no instruction, or nothing was observed yet.
        """
        threshold = to_number("threshold", threshold, 0, 1)
        proposed = self._proposed(action)
        session = self._session(row)
        if session.instruction is None:
            raise NotReset("judge: there is no instruction yet; call agent.reset(instruction=...) first")
        if observation is not None:
            session = _peek(session, self._single(observation))
        self._require_seen(session, "judge")
        plan = self.runtime.judge(session, proposed)
        found = [self._distributions(plan, position) for position in range(len(proposed))]
        return Judgement(tuple(dimension for part in found for dimension in part), threshold)

    def _proposed(self, action: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Checks one action or several and converts them to float64 [n, A]."""
        codec, chunk = self.format.codec, self.format.chunk
        values = to_array("action", action, ActionError)
        if values.ndim not in (1, 2) or values.shape[-1] != codec.size or values.dtype.kind not in "iuf":
            expected = f"numbers ({codec.size},) or (n, {codec.size})"
            raise ActionError(f"action: expected {expected}, got {values.dtype} {values.shape}")
        values = np.atleast_2d(values).astype(np.float64)
        if not 1 <= len(values) <= chunk:
            raise ActionError(f"action: {len(values)} were given, but a chunk of this policy holds {chunk}")
        codec.levels(values)
        for index, d in enumerate(codec.action.dimensions):
            low, high = values[:, index].min(), values[:, index].max()
            if low < d.low - 1e-6 or high > d.high + 1e-6:
                raise ActionError(
                    f"action: {d.name} is {low if low < d.low else high:g}, outside {d.low:g} to {d.high:g} {d.unit}; "
                    "give an action that the robot can do"
                )
        return values

    def _session(self, row: int) -> Session:
        return self._rows[int(to_number("row", row, 0, len(self._rows) - 1, whole=True))]

    def _require_seen(self, session: Session, verb: str) -> None:
        if not session.window:
            raise NotReset(f"{verb}: nothing was observed since reset; give the observation, or call act(...) first")

    def _scene(self, observation: Observation | None, row: int) -> Pixels:
        """The policy's cameras side by side."""
        if not self.format.cameras:
            raise CannotDo("cameras: this policy has none, so it sees nothing to describe; give images as frames")
        if observation is None:
            session = self._session(row)
            self._require_seen(session, "observation")
            return self.format.image(session.window[-1])
        cameras = replace(self.format.spec, state=(), goal_image=False, microphone=None)
        if batch_size(cameras, observation) is not None:
            raise ObservationError("observation: a batch was given; give the observation of one row")
        return self.format.image(self.format.seen(read_observation(cameras, observation)))

    def _single(self, observation: Observation) -> dict[str, Any]:
        if batch_size(self.format.spec, observation) is not None:
            raise ObservationError("observation: a batch was given; give the observation of one row")
        return read_observation(self.format.spec, observation)


def _peek(session: Session, moment: dict[str, Any]) -> Session:
    """A copy of a session after another observation; the session itself is unchanged."""
    ahead = session.twin()
    ahead.observe(moment)
    return ahead


def _text(name: str, words: Any) -> str:
    if not isinstance(words, str) or not words.strip():
        found = repr(words) if isinstance(words, str) else type(words).__name__
        raise ObservationError(f"{name}: expected words, got {found}")
    return words


def _texts(name: str, given: Any) -> list[str]:
    if not isinstance(given, list | tuple) or not given:
        raise ObservationError(f"{name}: expected a list of at least one text, got {type(given).__name__}")
    return [_text(f"{name}[{index}]", text) for index, text in enumerate(given)]


def _read_frames(frames: Any) -> list[Pixels]:
    single = isinstance(frames, np.ndarray) and frames.ndim == 3
    if not single and not (isinstance(frames, list | tuple) or (isinstance(frames, np.ndarray) and frames.ndim == 4)):
        found = f"shape {frames.shape}" if isinstance(frames, np.ndarray) else type(frames).__name__
        raise ObservationError(f"frames: expected an RGB image (height, width, 3) or a list of them, got {found}")
    if not len(frames):
        raise ObservationError("frames: there is none; give at least one, or None for what act saw last")
    given = [frames] if single else list(frames)
    return [read_image(f"frames[{index}]", frame) for index, frame in enumerate(given)]
