"""Training of the audio tokeniser: a ViT-VQ-GAN and its discriminator as one network with one loss."""

from __future__ import annotations

from torch import Tensor

from embodio.datasets.metrics.log_spectral_distance import DECIBELS
from embodio.model.config.parts import AudioTokenizerConfig
from embodio.model.network.batch import Batch
from embodio.model.processing.audio import TARGET_STD
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.train.objective import Outcome
from embodio.train.tokenizers.coded_training import CodedTraining
from embodio.train.tokenizers.settings import CodebookConfig, CodedLossConfig


class AudioTraining(CodedTraining):
    """An audio tokeniser in training; its codes are compared at unit length."""

    tokenizer: AudioTokenizer

    def __init__(self, config: AudioTokenizerConfig, loss: CodedLossConfig, codebook: CodebookConfig) -> None:
        super().__init__(AudioTokenizer(config), loss, codebook, channels=config.channels, unit_length=True)

    def forward(self, spectrograms: Tensor, targets: Tensor) -> Outcome:
        """Loss and figures of normalised spectrograms [B, T, M, 1] that must come back as `targets` of that shape."""
        latents = self.tokenizer.latents(spectrograms)
        quantised = self.codebook(latents, self.tokenizer.codebook)
        vectors = quantised.vectors.to(latents.dtype).flatten(1, 2)
        wanted = targets.permute(0, 3, 2, 1)  # [B, 1, mel, time]
        found = self.tokenizer.decoder(vectors).float()
        distance = (wanted - found).square().mean(dim=(1, 2)).sqrt().mean() * (float(TARGET_STD) * DECIBELS)
        figures = {"log_spectral_distance": distance}
        last = self.tokenizer.decoder.patches.weight
        return self.measured(wanted, found, quantised, last, besides={}, figures=figures)


class AudioObjective:
    """The loss of a batch of spectrograms."""

    def __call__(self, model: AudioTraining, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        found: Outcome = model(batch["spectrograms"], batch["targets"])
        return found
