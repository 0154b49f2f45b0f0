"""Settings of the trainings of tokenisers: weights of losses, and how codebooks move."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, DECAY, NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import UsageError


@dataclass(frozen=True)
class CodebookConfig:
    """How a codebook is trained.

    Attributes:
        decay: share of the running means that a step keeps.
        commitment: weight of the squared distance between latents and their codes, by which latents are drawn to codes.
        patience: steps without a choice after which a code is dead and takes the place of a random latent.
    """

    decay: float = 0.99
    commitment: float = 0.25
    patience: int = 100

    def __post_init__(self) -> None:
        require_ranges(self, "codebook.", decay=DECAY, commitment=NOT_NEGATIVE, patience=AT_LEAST_ONE)


@dataclass(frozen=True)
class CodedLossConfig:
    """Weights of the losses of a tokeniser, whose pictures or spectrograms are compared cell by cell.

    Attributes:
        absolute: of the mean absolute difference of pixels or of normalised cells.
        squared: of the mean squared difference.
        adversarial: of the discriminator's judgement, on top of the adaptive weight.
        adversarial_from: steps before the discriminator begins to learn and to judge.
        largest_weight: bound of the adaptive weight.
        discriminator_width: channels of the discriminator's first layer.
    """

    absolute: float = 1.0
    squared: float = 1.0
    adversarial: float = 0.1
    adversarial_from: int = 5000
    largest_weight: float = 10.0
    discriminator_width: int = 16

    def __post_init__(self) -> None:
        names = ("absolute", "squared", "adversarial", "largest_weight")
        require_ranges(self, "loss.", adversarial_from=COUNT, **dict.fromkeys(names, NOT_NEGATIVE))
        if self.discriminator_width < 4 or self.discriminator_width % 4:
            raise UsageError(f"loss.discriminator_width: got {self.discriminator_width}, expected a multiple of 4")


@dataclass(frozen=True)
class ImageLossConfig(CodedLossConfig):
    """Weights of the losses of pictures.

    Attributes:
        colour: of the mean absolute difference of the mean colours of blocks of 8 x 8 pixels.
        perceptual: of the distance between features of a frozen random network.
    """

    colour: float = 1.0
    perceptual: float = 0.5
    discriminator_width: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, "loss.", colour=NOT_NEGATIVE, perceptual=NOT_NEGATIVE)


@dataclass(frozen=True)
class VocoderLossConfig:
    """Weights of the losses of waveforms.

    Attributes:
        mel: of the mean absolute differences of log-mel energies, over windows of 1024 and of 256 samples.
        adversarial: of the discriminators' judgement.
        matching: of the mean absolute difference of the discriminators' features.
        adversarial_from: steps before the discriminators begin to learn and to judge.
        periods: of the period discriminators, in samples.
        poolings: of the scale discriminators, in samples.
        discriminator_width: channels of a discriminator's first layer, a multiple of 4.
    """

    mel: float = 15.0
    adversarial: float = 1.0
    matching: float = 2.0
    adversarial_from: int = 5000
    periods: tuple[int, ...] = (2, 3, 5, 7)
    poolings: tuple[int, ...] = (1, 2)
    discriminator_width: int = 8

    def __post_init__(self) -> None:
        require_ranges(self, "loss.", adversarial_from=COUNT, periods=AT_LEAST_ONE, poolings=AT_LEAST_ONE)
        require_ranges(self, "loss.", mel=NOT_NEGATIVE, adversarial=NOT_NEGATIVE, matching=NOT_NEGATIVE)
        if self.discriminator_width < 4 or self.discriminator_width % 4:
            raise UsageError(f"loss.discriminator_width: got {self.discriminator_width}, expected a multiple of 4")
