"""What trainings of tokenisers have in common: codes, a discriminator that starts late, and the outcome of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from embodio.datasets.metrics.codebook_use import perplexity
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.train.errors import TrainError
from embodio.train.objective import Figure, Outcome
from embodio.train.tokenizers.codebook import Codebook, Quantised
from embodio.train.tokenizers.discriminators import (
    PatchDiscriminator,
    hinge_loss,
    judged_without_learning,
    zero_gradients,
)
from embodio.train.tokenizers.losses import adaptive_weight
from embodio.train.tokenizers.settings import CodebookConfig, CodedLossConfig


class CodedTraining(nn.Module):
    """A tokeniser of pictures or spectrograms with what its training needs: statistics of its codes, a discriminator.

    Args:
        tokenizer: with its first weights.
        loss: weights of the losses.
        codebook: how its codes are trained.
        channels: of what the discriminator sees.
        unit_length: whether latents and codes are compared at unit length.

    Attributes:
        tokenizer: the tokeniser.
        codebook: moves its codes.
        discriminator: judges patches of pictures or spectrograms.
        steps: training steps seen, from which the discriminator takes its start.
    """

    tokenizer: ImageTokenizer | AudioTokenizer
    weights: CodedLossConfig
    steps: Tensor

    def __init__(
        self,
        tokenizer: ImageTokenizer | AudioTokenizer,
        loss: CodedLossConfig,
        codebook: CodebookConfig,
        *,
        channels: int = 3,
        unit_length: bool = False,
    ) -> None:
        super().__init__()
        self.weights = loss
        self.tokenizer = tokenizer
        self.codebook = Codebook(tokenizer.codebook, codebook, unit_length=unit_length)
        self.discriminator = PatchDiscriminator(loss.discriminator_width, channels)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def start_from(self, tokenizer: ImageTokenizer | AudioTokenizer) -> None:
        """Takes the weights of a tokeniser and begins with its codes.

        Raises:
            TrainError: it has another architecture.
        """
        if tokenizer.config != self.tokenizer.config:
            raise TrainError("init: that tokeniser has another architecture than tokenizer.* says; give its settings")
        self.tokenizer.load_state_dict(tokenizer.state_dict())
        self.codebook.adopt(self.tokenizer.codebook)

    def measured(
        self,
        wanted: Tensor,
        found: Tensor,
        quantised: Quantised,
        last: Tensor,
        *,
        besides: Mapping[str, tuple[float, Tensor]],
        figures: Mapping[str, Tensor],
    ) -> Outcome:
        """The outcome of a batch; in training mode it counts as a step, and the discriminator has its say.

        Args:
            wanted: originals [B, C, H, W], as the discriminator sees them.
            found: their reconstructions.
            quantised: what the codebook made of the latents.
            last: weight of the tokeniser's last layer.
            besides: name -> weight and value of losses of the reconstructions besides those of single cells.
            figures: shown next to the losses.
        """
        weights = self.weights
        absolute, squared = (wanted - found).abs().mean(), (wanted - found).square().mean()
        rebuilt = weights.absolute * absolute + weights.squared * squared
        for weight, value in besides.values():
            rebuilt = rebuilt + weight * value
        loss = rebuilt + self.codebook.config.commitment * quantised.commitment
        shown = {"absolute": absolute, **{name: value for name, (_, value) in besides.items()}}
        shown["commitment"] = quantised.commitment
        if self.training:
            loss = loss + self.adversarial(wanted, found, rebuilt, last, shown)
            self.steps += 1
        counts = torch.bincount(quantised.codes.flatten(), minlength=len(self.tokenizer.codebook))
        return outcome(loss, shown | {**figures, "perplexity": perplexity(counts)}, len(wanted))

    def adversarial(
        self, wanted: Tensor, found: Tensor, rebuilt: Tensor, last: Tensor, figures: dict[str, Tensor]
    ) -> Tensor:
        """Both sides' losses in one: the weights of neither get a gradient from the other's.

        Args:
            wanted: originals, as the discriminator sees them.
            found: their reconstructions.
            rebuilt: loss of the reconstructions, a scalar.
            last: weight of the tokeniser's last layer.
            figures: the figures of these losses are added here.
        """
        weights = self.weights
        if not weights.adversarial or self.steps < weights.adversarial_from:
            return zero_gradients(self.discriminator)
        fooling = -judged_without_learning(self.discriminator, found).mean()
        weight = adaptive_weight(rebuilt, fooling, last, weights.largest_weight)
        learning = hinge_loss(self.discriminator(wanted), self.discriminator(found.detach()))
        figures |= {"adversarial": fooling, "adaptive_weight": weight, "discriminator": learning}
        return weights.adversarial * weight * fooling + learning


def outcome(loss: Tensor, figures: Mapping[str, Tensor], items: int) -> Outcome:
    """The outcome of a batch of some items, whose figures are means over it."""
    one = torch.ones((), device=loss.device)
    told = {name: Figure(value.detach(), one) for name, value in figures.items()}
    return Outcome(loss, torch.tensor(float(items), device=loss.device), told)
