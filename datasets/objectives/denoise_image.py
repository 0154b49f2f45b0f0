"""DenoiseImage: hide parts of an image and have all of it drawn, or draw it from other parts ([Image], [R] or [S]).

[R] leaves a share of the patches out of the encoder. The target is the whole image; its codes in hidden patches are
marked, so that the decoder sees none of them either (dynamic masking). Of 2 x 2 patches with half of them hidden:

    prompt   [Image] [R] a red cup          the caption is kept or dropped at random
    image    #0 .. .. #3                    patches 1 and 2 are absent: image_hidden = [[0, 1], [1, 0]]
    target   all codes of the image

[S] gives the other parts of the record and no image; a prompt of text alone is sometimes replaced by the neutral one:

    prompt   [Image] [S] a red cup
    target   all codes of the image
"""

from __future__ import annotations

from embodio.datasets.objectives.parts.denoised import DenoisePatches
from embodio.datasets.objectives.parts.settings import PatchSettings


class DenoiseImage(DenoisePatches[PatchSettings]):
    """An image without some patches, or a description, in; the image out."""

    settings, target = PatchSettings, "image"


OBJECTIVE = DenoiseImage
