"""Captions as required: of a length, with given words, or with a given beginning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.task_codec import TaskCodec
from embodio.model.tasks.base.text_family import TextFamily, TextItem
from embodio.model.tasks.errors import TaskError
from embodio.model.tasks.prompts.filling import Filling, groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class ConstrainedCaption(TextItem):
    """A caption and what is required of it; at least one of these is given.

    Attributes:
        longer_than: the caption has more words than this; None for any number.
        shorter_than: the caption has fewer words than this; None for any number.
        words: words or word groups that the caption contains.
        prefix: how the caption begins; "" for any beginning.
    """

    longer_than: int | None = None
    shorter_than: int | None = None
    words: tuple[str, ...] = ()
    prefix: str = ""


class CaptionConstrained(TextFamily[ConstrainedCaption]):
    """Captions with constraints (paper, appendix D.11): image and requirements in, a sentence that fulfils them out."""

    name = "caption_constrained"
    annotation = ConstrainedCaption
    needs = ("image", "sound")
    groups = groups_of(
        plain={"requirements": 'longer than 5 words; containing "cup"; beginning with "In this picture,"'}
    )
    tokens = 96
    metrics = ("requirements_met", "cider_d")

    def slots(self, annotation: ConstrainedCaption, codec: TaskCodec) -> Mapping[str, Filling]:
        """The requirements in words; raises TaskError if there are none."""
        return {"requirements": "; ".join(requirements(annotation))}


def requirements(annotation: ConstrainedCaption) -> list[str]:
    """Each requirement in words; raises TaskError if there are none."""
    parts = []
    if annotation.longer_than is not None:
        parts.append(f"longer than {annotation.longer_than} words")
    if annotation.shorter_than is not None:
        parts.append(f"shorter than {annotation.shorter_than} words")
    if annotation.words:
        parts.append("containing " + " and ".join(f'"{word}"' for word in annotation.words))
    if annotation.prefix:
        parts.append(f'beginning with "{annotation.prefix}"')
    if not parts:
        raise TaskError("longer_than, shorter_than, words, prefix: nothing is required; `caption` is for any caption")
    return parts


def unmet(annotation: ConstrainedCaption, text: str) -> list[str]:
    """The names of the requirements that a text does not fulfil; case does not matter."""
    count, low = len(text.split()), text.lower()
    long_enough = annotation.longer_than is None or count > annotation.longer_than
    short_enough = annotation.shorter_than is None or count < annotation.shorter_than
    kept = {
        "longer_than": long_enough,
        "shorter_than": short_enough,
        "words": all(word.lower() in low for word in annotation.words),
        "prefix": low.startswith(annotation.prefix.lower()),
    }
    return [name for name, is_kept in kept.items() if not is_kept]


FAMILY = CaptionConstrained()
