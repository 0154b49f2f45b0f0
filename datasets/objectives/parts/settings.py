"""The settings of objectives that denoise text, images and sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from embodio.datasets.errors import DatasetError
from embodio.datasets.objectives.objective import ObjectiveConfig
from embodio.datasets.objectives.parts.spans import UL2, Denoiser


@dataclass(frozen=True, kw_only=True)
class TextSettings(ObjectiveConfig):
    """Settings of text as the target. The paper gives no probabilities; these are ours, and UL2's for the spans.

    Attributes:
        keep: probability that each other part of a record is given.
        whole: probability that [S] hides the whole text, where other parts are given, and not the end of it.
        denoisers: ways to hide spans by name, each drawn by its weight; those of UL2 by default.
    """

    keep: float = 0.75
    whole: float = 0.5
    denoisers: Mapping[str, Denoiser] = field(default_factory=lambda: dict(UL2))

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        _require_shares(self, "keep", "whole")


@dataclass(frozen=True, kw_only=True)
class PatchSettings(ObjectiveConfig):
    """Settings of an image or a sound as the target. The paper gives no probabilities; these are ours.

    Attributes:
        keep: probability that each other part of a record is given.
        denoise: probability of [R]; otherwise [S]. Where nothing else is there to generate from, it is always [R].
        share: of the patches that [R] hides; at least as many are hidden as the network has no room for. 0.75 as in
            masked autoencoders (arXiv 2111.06377).
        neutral: probability that a prompt of text alone is replaced by the neutral one, for classifier-free guidance
            (paper, appendix D.2: 10 %).
    """

    keep: float = 0.75
    denoise: float = 0.5
    share: float = 0.75
    neutral: float = 0.1

    def __post_init__(self) -> None:
        """Checks ranges; raises DatasetError."""
        super().__post_init__()
        _require_shares(self, "keep", "denoise", "neutral")
        if not 0.0 < self.share < 1.0:
            raise DatasetError(f"share: got {self.share}, expected a share of the patches between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class SoundSettings(PatchSettings):
    """Settings of a sound as the target.

    Attributes:
        share: of the patches that [R] hides; 0.8 as in masked autoencoders of spectrograms (arXiv 2207.06405).
    """

    share: float = 0.8


def _require_shares(config: ObjectiveConfig, *names: str) -> None:
    for name in names:
        if not 0.0 <= getattr(config, name) <= 1.0:
            raise DatasetError(f"{name}: got {getattr(config, name)}, expected a probability from 0 to 1")
