"""Tags: the action in a video, the one that comes next, or the kind of sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embodio.model.tasks.base.text_family import TextFamily, TextItem, media_kind
from embodio.model.tasks.prompts.filling import groups_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Tagged(TextItem):
    """A video or a sound, and its tag.

    Attributes:
        choices: the possible tags; empty for free text.
        ahead: whether the action after the video is asked for.
        scores: in an answer, how likely each tag is, such as its log-probability in nats; None where tags are not
            scored.
    """

    choices: tuple[str, ...] = ()
    ahead: bool = False
    scores: Mapping[str, float] | None = None


class Tag(TextFamily[Tagged]):
    """Tagging and anticipation (paper, appendices D.7 and D.8): video or sound in, a short name out.

    Of given tags, each is also scored, by which items that have several tags are judged.
    """

    name = "tag"
    annotation = Tagged
    needs = ("image", "sound")
    groups = groups_of(video={}, ahead={}, sound={})
    answer = ("text", "references", "scores")
    tokens = 16
    scored = True
    metrics = ("exact_match",)

    def group(self, annotation: Tagged) -> str:
        """`video`, `ahead` for the action that follows it, or `sound`."""
        if annotation.ahead:
            return "ahead"
        kind = media_kind(annotation.media)
        return "video" if kind == "image" else kind

    def choices(self, annotation: Tagged) -> tuple[str, ...]:
        """The possible tags."""
        return annotation.choices


FAMILY = Tag()
