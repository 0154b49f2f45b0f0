"""Sound distance: FAD, how far sounds are as a set from right ones, in features of a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodio.datasets.metrics.parts.frechet import DistributionMetric
from embodio.datasets.metrics.parts.metric import given, lower
from embodio.model.tasks.families.make_sound import SoundItem


class SoundDistance(DistributionMetric[SoundItem]):
    """Frechet and kernel distance with the network `embed`; with VGGish's features FAD (arXiv 1812.08466).

    The network gets what the annotation and the answer hold: a waveform float32 [T] at 16 kHz, or a `Spectrogram`, as
    networks without a vocoder give.
    """

    figures = lower("sound_frechet_distance", "sound_kernel_distance")
    reads = ("sound",)
    unbounded = ("sound_frechet_distance", "sound_kernel_distance")

    def measure(self, found: SoundItem | None, truth: SoundItem) -> list[Any]:
        """The features of both sounds; an unreadable answer is a second of silence."""
        silence = np.zeros(16_000, dtype=np.float32)
        return self.measured(silence if found is None else given(found, "sound"), given(truth, "sound"))


METRIC = SoundDistance()
