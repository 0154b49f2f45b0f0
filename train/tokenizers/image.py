"""Training of the image tokeniser: a VQ-GAN and its discriminator as one network with one loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from embodio.model.config.parts import ImageTokenizerConfig
from embodio.model.network.batch import Batch
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.train.objective import Outcome
from embodio.train.tokenizers.coded_training import CodedTraining
from embodio.train.tokenizers.losses import FrozenFeatures, perceptual_distance
from embodio.train.tokenizers.settings import CodebookConfig, ImageLossConfig

_BLOCK = 8
"""Side in pixels of blocks whose mean colours are compared; single pixels judge edges more than colours."""


class ImageTraining(CodedTraining):
    """An image tokeniser in training.

    Attributes:
        features: by which originals and reconstructions are compared, besides their pixels.
    """

    tokenizer: ImageTokenizer
    weights: ImageLossConfig

    def __init__(self, config: ImageTokenizerConfig, loss: ImageLossConfig, codebook: CodebookConfig) -> None:
        super().__init__(ImageTokenizer(config), loss, codebook)
        self.features = FrozenFeatures()

    def forward(self, images: Tensor) -> Outcome:
        """Loss and figures of pictures [B, H, W, 3] in [-1, 1], of any size that the patches divide."""
        pixels = images.permute(0, 3, 1, 2)
        latents = self.tokenizer.before_codes(self.tokenizer.encoder(pixels)).permute(0, 2, 3, 1)
        quantised = self.codebook(latents, self.tokenizer.codebook)
        vectors = quantised.vectors.to(latents.dtype).permute(0, 3, 1, 2)
        found = self.tokenizer.decoder(self.tokenizer.after_codes(vectors)).float()
        besides = {
            "colour": (self.weights.colour, avg_pool2d(pixels - found, _BLOCK).abs().mean()),
            "perceptual": (self.weights.perceptual, perceptual_distance(self.features, pixels, found)),
        }
        clipped = (pixels - found.clamp(-1, 1)).square().mean(dim=(1, 2, 3))
        psnr = (10.0 * torch.log10(4.0 / clipped.clamp(min=1e-10))).mean()
        last = self.tokenizer.decoder.last.weight
        return self.measured(pixels, found, quantised, last, besides=besides, figures={"psnr": psnr})


class ImageObjective:
    """The loss of a batch of pictures uint8 [B, H, W, 3] under "images"."""

    def __call__(self, model: ImageTraining, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        found: Outcome = model(batch["images"].float() / 127.5 - 1.0)
        return found
