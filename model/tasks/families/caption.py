"""Captions: one sentence about an image, a video or a sound."""

from __future__ import annotations

from embodio.model.tasks.base.text_family import TextFamily, TextItem, media_kind
from embodio.model.tasks.prompts.filling import groups_of


class Caption(TextFamily[TextItem]):
    """Captioning (paper, appendices D.6 and D.8): image, video or sound in, a sentence out."""

    name = "caption"
    annotation = TextItem
    needs = ("image", "sound")
    groups = groups_of(image={}, video={}, sound={})
    tokens = 64
    metrics = ("cider_d", "bleu", "rouge_l")

    def group(self, annotation: TextItem) -> str:
        """`image`, `video` or `sound`."""
        return media_kind(annotation.media)


FAMILY = Caption()
