"""Training of the audio tokeniser: a ViT-VQ-GAN and its discriminator as one network with one loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from embodio.datasets.metrics.codebook_use import perplexity
from embodio.model.config.parts import AudioTokenizerConfig
from embodio.model.network.batch import Batch
from embodio.model.processing.audio import TARGET_STD
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.train.objective import Outcome
from embodio.train.tokenizers.coded_training import CodedTraining, outcome
from embodio.train.tokenizers.settings import AudioLossConfig, CodebookConfig

DECIBELS = float(TARGET_STD) * 10.0 / math.log(10.0)
"""Decibels of power for 1 in a normalised spectrogram."""


class AudioTraining(CodedTraining):
    """An audio tokeniser in training; its codes are compared at unit length."""

    tokenizer: AudioTokenizer
    weights: AudioLossConfig

    def __init__(self, config: AudioTokenizerConfig, loss: AudioLossConfig, codebook: CodebookConfig) -> None:
        super().__init__(AudioTokenizer(config), loss, codebook, channels=config.channels, unit_length=True)

    def forward(self, spectrograms: Tensor, targets: Tensor) -> Outcome:
        """Loss and figures of normalised spectrograms [B, T, M, 1] that must come back as `targets` of that shape."""
        weights = self.weights
        latents = self.tokenizer.latents(spectrograms)
        quantised = self.codebook(latents, self.tokenizer.codebook)
        vectors = quantised.vectors.to(latents.dtype).flatten(1, 2)
        wanted = targets.permute(0, 3, 2, 1)  # [B, 1, mel, time]
        found = self.tokenizer.decoder(vectors).float()
        absolute, squared = (wanted - found).abs().mean(), (wanted - found).square().mean()
        rebuilt = weights.absolute * absolute + weights.squared * squared
        loss = rebuilt + self.codebook.config.commitment * quantised.commitment
        figures = {"absolute": absolute, "commitment": quantised.commitment}
        if self.training:
            last = self.tokenizer.decoder.patches.weight
            loss = loss + self.adversarial(wanted, found, rebuilt, last, figures)
            self.steps += 1
        counts = torch.bincount(quantised.codes.flatten(), minlength=len(self.tokenizer.codebook))
        distance = (wanted - found).square().mean(dim=(1, 2)).sqrt().mean() * DECIBELS
        figures |= {"log_spectral_distance": distance, "perplexity": perplexity(counts)}
        return outcome(loss, figures, len(targets))


class AudioObjective:
    """The loss of a batch of `SpectrogramBatches`."""

    def __call__(self, model: AudioTraining, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        found: Outcome = model(batch["spectrograms"], batch["targets"])
        return found
