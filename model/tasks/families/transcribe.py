"""Speech to text: the words that are said in a sound or a video."""

from __future__ import annotations

from embodio.model.tasks.base.text_family import TextFamily, TextItem, media_kind
from embodio.model.tasks.prompts.filling import groups_of


class Transcribe(TextFamily[TextItem]):
    """Speech recognition (paper, appendix D.8): sound or video in, the words that are said out."""

    name = "transcribe"
    annotation = TextItem
    needs = ("sound",)
    groups = groups_of(sound={}, video={})
    tokens = 128
    metrics = ("wer",)

    def group(self, annotation: TextItem) -> str:
        """`video` or `sound`."""
        return "sound" if media_kind(annotation.media) == "sound" else "video"


FAMILY = Transcribe()
