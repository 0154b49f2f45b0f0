"""Training of the image tokeniser: a VQ-GAN and its discriminator as one network with one loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from embodio.model.config.parts import ImageTokenizerConfig
from embodio.model.network.batch import Batch
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.train.errors import TrainError
from embodio.train.objective import Figure, Outcome
from embodio.train.tokenizers.codebook import Codebook, perplexity
from embodio.train.tokenizers.discriminators import (
    PatchDiscriminator,
    hinge_loss,
    judged_without_learning,
    zero_gradients,
)
from embodio.train.tokenizers.losses import FrozenFeatures, adaptive_weight, perceptual_distance
from embodio.train.tokenizers.settings import CodebookConfig, ImageLossConfig


class ImageTraining(nn.Module):
    """An image tokeniser with what its training needs: statistics of the codebook, and a discriminator.

    Attributes:
        tokenizer: the tokeniser.
        codebook: moves its codes.
        discriminator: judges patches of pictures.
        steps: training steps seen, from which the discriminator takes its start.
    """

    steps: Tensor

    def __init__(self, config: ImageTokenizerConfig, loss: ImageLossConfig, codebook: CodebookConfig) -> None:
        super().__init__()
        self.weights = loss
        self.tokenizer = ImageTokenizer(config)
        self.codebook = Codebook(self.tokenizer.codebook, codebook)
        self.discriminator = PatchDiscriminator(loss.discriminator_width)
        self.features = FrozenFeatures()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def start_from(self, tokenizer: ImageTokenizer) -> None:
        """Takes the weights of a tokeniser and begins with its codes.

        Raises:
            TrainError: it has another architecture.
        """
        if tokenizer.config != self.tokenizer.config:
            raise TrainError("init: that tokeniser has another architecture than tokenizer.* says; give its settings")
        self.tokenizer.load_state_dict(tokenizer.state_dict())
        self.codebook.adopt(self.tokenizer.codebook)

    def forward(self, images: Tensor) -> Outcome:
        """Loss and figures of pictures [B, H, W, 3] in [-1, 1], of any size that the patches divide."""
        weights = self.weights
        pixels = images.permute(0, 3, 1, 2)
        latents = self.tokenizer.before_codes(self.tokenizer.encoder(pixels)).permute(0, 2, 3, 1)
        quantised = self.codebook(latents, self.tokenizer.codebook)
        vectors = quantised.vectors.to(latents.dtype).permute(0, 3, 1, 2)
        found = self.tokenizer.decoder(self.tokenizer.after_codes(vectors)).float()
        absolute, squared = (pixels - found).abs().mean(), (pixels - found).square().mean()
        perceptual = perceptual_distance(self.features, pixels, found)
        rebuilt = weights.absolute * absolute + weights.squared * squared + weights.perceptual * perceptual
        loss = rebuilt + self.codebook.config.commitment * quantised.commitment
        figures = {"absolute": absolute, "perceptual": perceptual, "commitment": quantised.commitment}
        if self.training:
            loss = loss + self._adversarial(pixels, found, rebuilt, figures)
            self.steps += 1
        one = torch.ones((), device=loss.device)
        counts = torch.bincount(quantised.codes.flatten(), minlength=len(self.tokenizer.codebook))
        clipped = (pixels - found.clamp(-1, 1)).square().mean(dim=(1, 2, 3))
        figures |= {
            "psnr": (10.0 * torch.log10(4.0 / clipped.clamp(min=1e-10))).mean(),
            "perplexity": perplexity(counts),
        }
        told = {name: Figure(value.detach(), one) for name, value in figures.items()}
        return Outcome(loss, torch.tensor(float(len(images)), device=loss.device), told)

    def _adversarial(self, pixels: Tensor, found: Tensor, rebuilt: Tensor, figures: dict[str, Tensor]) -> Tensor:
        """Both sides' losses in one: the weights of neither get a gradient from the other's."""
        weights = self.weights
        if not weights.adversarial or self.steps < weights.adversarial_from:
            return zero_gradients(self.discriminator)
        judged = judged_without_learning(self.discriminator, found)
        fooling = -judged.mean()
        weight = adaptive_weight(rebuilt, fooling, self.tokenizer.decoder.last.weight, weights.largest_weight)
        learning = hinge_loss(self.discriminator(pixels), self.discriminator(found.detach()))
        figures |= {"adversarial": fooling, "adaptive_weight": weight, "discriminator": learning}
        return weights.adversarial * weight * fooling + learning


class ImageObjective:
    """The loss of a batch of pictures uint8 [B, H, W, 3] under "images"."""

    def __call__(self, model: ImageTraining, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        outcome: Outcome = model(batch["images"].float() / 127.5 - 1.0)
        return outcome
