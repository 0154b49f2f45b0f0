"""The contract of a task family: writes an annotation as an example, and reads it from the network's output.

Training writes an annotation with its answer; inference writes the same annotation without one and reads the answer
into it; metrics compare annotations. Thus training and inference share their wording.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from embodio.model.example import Example, Image, Sound
from embodio.model.generation import Constraint
from embodio.model.tasks.base.sense import require_filled, require_sense
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.grammar import Rule
from embodio.model.tasks.prompts.filling import Filling, Groups, Template, fill, groups_of
from embodio.model.tokens.vocabulary import EOS_ID, Prompt

Modality = Literal["text", "image", "audio"]

Output = Sequence[int] | npt.NDArray[np.float32]
"""The output of a network: token ids up to the end of sequence; an image float32 [H, W, 3] in [0, 1]; or a normalised
log-mel spectrogram float32 [T, M]."""


@dataclass(frozen=True, eq=False, kw_only=True)
class InputMedia:
    """The images and sounds of an example; the fields are those of `Example`."""

    image: Image | None = None
    image_history: Sequence[Image] = ()
    audio: Sound | None = None
    audio_history: Sequence[Sound] = ()

    @property
    def has_images(self) -> bool:
        """Whether there is an image, the main one or an earlier one."""
        return self.image is not None or bool(self.image_history)

    @property
    def has_sounds(self) -> bool:
        """Whether there is a sound, the main one or an earlier one."""
        return self.audio is not None or bool(self.audio_history)


@dataclass(frozen=True, eq=False, kw_only=True)
class Annotation:
    """One data item of a family: the inputs, and the answer, with fields that are None in a request.

    Attributes:
        media: images and sounds.
    """

    media: InputMedia = field(default_factory=InputMedia)


A = TypeVar("A", bound=Annotation)


class Family(ABC, Generic[A]):
    """A family of tasks. An instance is stateless; the module `families/<name>.py` holds one, called `FAMILY`.

    One of your own may be in any module and holds its wordings.

    Attributes:
        name: name of the family, its module and its file of wordings.
        annotation: the class of its annotations.
        groups: each group of wordings -> its slots, each with a text that may fill it, as an example for people; value
            tokens in square brackets.
        wordings: of a family of your own: group -> wordings and held_out, as in files of `embodio.model.tasks.prompts`.
        modality: modality of the answer.
        tokens: default limit of tokens of an answer, including the end; None for the network's limit.
        top_p: default top-p for sampling images and sounds (paper, appendix D).
        answer: the fields of the annotation that are the answer; a request has their defaults.
        may_be_empty: the fields that may hold nothing, such as the boxes of an image in which there is nothing.
        needs: the kinds of media that it is about, "image" and "sound", one of which a request has; empty where it may
            have none.
        fixed_answers: the texts of the answer, where these are always the same, such as "yes" and "no".
        scored: whether a network also gives the log-probability of each choice, in the annotation's field `scores`.
        metrics: names of the metrics by which answers are judged, see `embodio.datasets.metrics`; the first is the
            main one.
    """

    name: ClassVar[str]
    annotation: ClassVar[type[Annotation]]
    groups: ClassVar[Groups] = groups_of(plain={})
    wordings: ClassVar[Mapping[str, Any]] = {}
    modality: ClassVar[Modality] = "text"
    tokens: ClassVar[int | None] = None
    top_p: ClassVar[float] = 0.95
    answer: ClassVar[tuple[str, ...]]
    may_be_empty: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    fixed_answers: ClassVar[tuple[str, ...]] = ()
    scored: ClassVar[bool] = False
    metrics: ClassVar[tuple[str, ...]] = ()

    def group(self, annotation: A) -> str:
        """The group of wordings that ask for this annotation."""
        return "plain"

    def slots(self, annotation: A, codec: TaskCodec) -> Mapping[str, Filling]:
        """The fillings of the wording's slots."""
        return {}

    def clauses(self, annotation: A, codec: TaskCodec) -> Sequence[str | int]:
        """Clauses after the wording, such as the state of a robot."""
        return ()

    def shown(self, annotation: A) -> InputMedia:
        """The media given to the network; the annotation's media unless parts are hidden."""
        return annotation.media

    @abstractmethod
    def target(self, annotation: A, codec: TaskCodec) -> Prompt | Image | Sound | None:
        """The answer as the network is trained to write it; None where the annotation has none."""

    @abstractmethod
    def read(self, written: Output, asked: A, codec: TaskCodec) -> A | AnswerError:
        """The requested annotation with the answer that the network wrote."""

    def choices(self, annotation: A) -> tuple[str, ...]:
        """The possible answers; empty for free text."""
        return ()

    def longest(self, asked: Sequence[A], codec: TaskCodec) -> int | None:
        """The default limit of tokens of an answer, including the end; None for the network's limit."""
        return self.tokens

    def form(self, asked: Sequence[A], codec: TaskCodec, longest: int) -> Constraint | Sequence[Rule] | None:
        """The format of text answers: one constraint for all rows, a rule for each row, or None for free text.

        Args:
            asked: the annotations of the rows.
            codec: codec of the network.
            longest: largest number of tokens of an answer, including the end.
        """
        return None

    def request(self, annotation: A) -> A:
        """The annotation without its answer."""
        empty: dict[str, Any] = {one.name: one.default for one in fields(annotation) if one.name in self.answer}
        return replace(annotation, **empty)

    def prompt(self, annotation: A, wording: Template, codec: TaskCodec) -> list[str | int]:
        """The prefix of the modality, the wording with its slots filled, and the clauses that follow.

        Raises:
            PromptError: the slots of the wording are not those that the family fills.
            TaskError: a slot is filled with nothing.
        """
        slots = self.slots(annotation, codec)
        require_filled(slots, self.may_be_empty)
        words = fill(wording, **slots)
        prefix = codec.vocabulary.prefix_id(self.modality, "S")
        return [prefix, *joined([*words, *self.clauses(annotation, codec)])]

    def write(self, annotation: A, wording: Template, codec: TaskCodec, *, answered: bool = True) -> Example:
        """The example of an annotation.

        Args:
            annotation: annotation with its answer for training, without for inference.
            wording: drawn from the wordings of `group(annotation)`.
            codec: codec of the network.
            answered: whether to write the answer, if any, as the target.

        Raises:
            PromptError: the slots of the wording are not those that the family fills.
            TaskError, LocationError: a field is empty, None or of another kind, or does not fit the image; names it.
        """
        require_sense(annotation, annotation.media.image, () if answered else self.answer, self.may_be_empty)
        media, prompt = self.shown(annotation), self.prompt(annotation, wording, codec)
        target: Any = self.target(annotation, codec) if answered else None
        targets = {} if target is None else {f"{self.modality}_target": target}
        return Example(
            text=prompt,
            image=media.image,
            image_history=media.image_history,
            audio=media.audio,
            audio_history=media.audio_history,
            **targets,
        )


def joined(parts: Sequence[str | int]) -> list[str | int]:
    """Joins adjacent texts, so that they are tokenised together, and strips spaces at the ends."""
    found: list[str | int] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    stripped = [part.strip() if isinstance(part, str) else part for part in found]
    return [part for part in stripped if part != ""]


def token_ids(written: Output) -> list[int]:
    """The token ids of a text output."""
    return [int(token) for token in written]


def ids_before_end(written: Output) -> list[int]:
    """The token ids of a text output up to the first end of sequence, which is left out."""
    ids = token_ids(written)
    return ids[: ids.index(EOS_ID)] if EOS_ID in ids else ids


def with_answer(asked: A, **answer: Any) -> A:
    """The annotation with the fields of its answer set."""
    return replace(asked, **answer)
