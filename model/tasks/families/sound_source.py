"""Sound sources: the region of a frame that a sound comes from."""

from __future__ import annotations

from embodio.model.tasks.base.one_box_family import OneBoxFamily, OneBoxItem


class SoundSource(OneBoxFamily[OneBoxItem]):
    """Visual sound localisation (paper, appendix D.9): frames and their sound in, a box in the main image out."""

    name = "sound_source"
    annotation = OneBoxItem


FAMILY = SoundSource()
