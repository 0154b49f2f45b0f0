"""Captions of several images: of the one that the prompt refers to, or of all, each after its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embodio.model.generation import Constraint
from embodio.model.tasks.base.family import Annotation, Family, Output, ids_before_end, with_answer
from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.errors import AnswerError, TaskError
from embodio.model.tasks.grammar import plain_text
from embodio.model.tasks.parsers import parse_text
from embodio.model.tasks.prompts.filling import Filling, groups_of
from embodio.model.tokens.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, kw_only=True)
class SeveralCaptions(Annotation):
    """Several images: those of the history in their order, then the main image.

    Attributes:
        captions: of the image that is asked for, or of all; None in a request.
        wanted: number of the image that is asked for, from 0 on; None for all.
    """

    captions: tuple[str, ...] | None = None
    wanted: int | None = None


def references(vocabulary: Vocabulary, earlier: int) -> list[int]:
    """The ids that refer to `earlier` images of the history and to the main image, in this order."""
    return [*(vocabulary.image_history_id(slot) for slot in range(1, earlier + 1)), vocabulary.image_input_id]


class CaptionSeveral(Family[SeveralCaptions]):
    """Captions of several images (paper, appendix C.1): images and a reference in, a sentence for each out."""

    name = "caption_several"
    annotation = SeveralCaptions
    needs = ("image",)
    groups = groups_of(one={"image": "<the second image>"}, all={})
    answer = ("captions",)
    tokens = 256
    metrics = ("captions_in_order",)

    def group(self, annotation: SeveralCaptions) -> str:
        """`one` or `all`."""
        return "all" if annotation.wanted is None else "one"

    def slots(self, annotation: SeveralCaptions, codec: TaskCodec) -> Mapping[str, Filling]:
        """The reference to the image that is asked for.

        Raises:
            TaskError: there is no such image.
        """
        if annotation.wanted is None:
            return {}
        known = self._references(annotation, codec)
        if not 0 <= annotation.wanted < len(known):
            raise TaskError(f"wanted: there is no image {annotation.wanted}; there are {len(known)}, from 0 on")
        return {"image": [known[annotation.wanted]]}

    def target(self, annotation: SeveralCaptions, codec: TaskCodec) -> list[str | int] | None:
        """The caption; or each reference and its caption.

        Raises:
            TaskError: the number of captions is not that of the images that are asked for.
        """
        if annotation.captions is None:
            return None
        known = [] if annotation.wanted is not None else self._references(annotation, codec)
        if len(annotation.captions) != (len(known) or 1):
            raise TaskError(f"captions: expected {len(known) or 1}, found {len(annotation.captions)}")
        if not known:
            return [annotation.captions[0]]
        return [part for pair in zip(known, annotation.captions, strict=True) for part in pair]

    def form(self, asked: Sequence[SeveralCaptions], codec: TaskCodec, longest: int) -> Constraint | None:
        """Text without special tokens where one caption is asked for."""
        return plain_text(codec.vocabulary) if all(one.wanted is not None for one in asked) else None

    def read(self, written: Output, asked: SeveralCaptions, codec: TaskCodec) -> SeveralCaptions | AnswerError:
        """The captions, in the order of the images; an AnswerError where a reference is missing or repeated."""
        ids = ids_before_end(written)
        if asked.wanted is not None:
            return with_answer(asked, captions=(parse_text(codec.locations, ids),))
        known = self._references(asked, codec)
        parts: list[list[int]] = [[]]
        for token in ids:
            if token in known:
                parts.append([])
            parts[-1].append(token)
        found = {part[0]: parse_text(codec.locations, part[1:]) for part in parts[1:]}
        if parts[0] or len(found) < len(parts) - 1 or set(found) != set(known):
            return AnswerError("each image's reference, once, and its caption", parse_text(codec.locations, ids))
        return with_answer(asked, captions=tuple(found[reference] for reference in known))

    def _references(self, annotation: SeveralCaptions, codec: TaskCodec) -> list[int]:
        return references(codec.vocabulary, len(annotation.media.image_history))


FAMILY = CaptionSeveral()
