"""DenoiseAudio: hide parts of a sound and have all of it written, or make it from other parts ([Audio], [R] or [S]).

[R] leaves a share of the patches of a segment out of the encoder. The target is the whole segment; its codes in hidden
patches are marked, so that the decoder sees none of them either (dynamic masking). Of 2 x 2 patches over time and mel
bands, three of which are hidden:

    prompt   [Audio] [R] a bell rings       the caption is kept or dropped at random
    audio    #0 .. .. ..                    audio_hidden = [[0, 1], [1, 1]]
    target   all codes of the segment

[S] gives the other parts of the record and no sound:

    prompt   [Audio] [S] a bell rings
    target   all codes of the segment
"""

from __future__ import annotations

from embodio.datasets.objectives.parts.denoised import DenoisePatches
from embodio.datasets.objectives.parts.settings import SoundSettings


class DenoiseAudio(DenoisePatches[SoundSettings]):
    """A sound without some parts, or a description, in; the sound out."""

    settings, target = SoundSettings, "audio"


OBJECTIVE = DenoiseAudio
