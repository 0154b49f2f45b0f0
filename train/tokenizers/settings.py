"""Settings of the trainings of tokenisers: weights of losses, and how codebooks move."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, DECAY, NOT_NEGATIVE, require_ranges


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
class ImageLossConfig:
    """Weights of the losses.

    Attributes:
        absolute: of the mean absolute difference of pixels.
        squared: of the mean squared difference.
        perceptual: of the distance between features of a frozen random network.
        adversarial: of the discriminator's judgement, on top of the adaptive weight.
        adversarial_from: steps before the discriminator begins to learn and to judge.
        largest_weight: bound of the adaptive weight.
        discriminator_width: channels of the discriminator's first layer.
    """

    absolute: float = 1.0
    squared: float = 1.0
    perceptual: float = 0.5
    adversarial: float = 0.1
    adversarial_from: int = 5000
    largest_weight: float = 10.0
    discriminator_width: int = 32

    def __post_init__(self) -> None:
        names = ("absolute", "squared", "perceptual", "adversarial", "largest_weight")
        require_ranges(self, "loss.", adversarial_from=COUNT, **dict.fromkeys(names, NOT_NEGATIVE))


@dataclass(frozen=True)
class AudioLossConfig:
    """Weights of the losses of spectrograms.

    Attributes:
        absolute: of the mean absolute difference of normalised cells.
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
    discriminator_width: int = 32

    def __post_init__(self) -> None:
        names = ("absolute", "squared", "adversarial", "largest_weight")
        require_ranges(self, "loss.", adversarial_from=COUNT, **dict.fromkeys(names, NOT_NEGATIVE))
