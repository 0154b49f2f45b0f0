"""Training of the audio tokeniser: a ViT-VQ-GAN and its discriminator as one network with one loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from embodio.model.config.parts import AudioTokenizerConfig
from embodio.model.network.batch import Batch
from embodio.model.processing.audio import TARGET_STD
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.train.errors import TrainError
from embodio.train.objective import Figure, Outcome
from embodio.train.tokenizers.codebook import Codebook, perplexity
from embodio.train.tokenizers.discriminators import (
    PatchDiscriminator,
    hinge_loss,
    judged_without_learning,
    zero_gradients,
)
from embodio.train.tokenizers.losses import adaptive_weight
from embodio.train.tokenizers.settings import AudioLossConfig, CodebookConfig

DECIBELS = float(TARGET_STD) * 10.0 / math.log(10.0)
"""Decibels of power for 1 in a normalised spectrogram."""


class AudioTraining(nn.Module):
    """An audio tokeniser with what its training needs: statistics of the codebook, and a discriminator.

    Attributes:
        tokenizer: the tokeniser.
        codebook: moves its codes, which are compared at unit length.
        discriminator: judges patches of spectrograms.
        steps: training steps seen, from which the discriminator takes its start.
    """

    steps: Tensor

    def __init__(self, config: AudioTokenizerConfig, loss: AudioLossConfig, codebook: CodebookConfig) -> None:
        super().__init__()
        self.weights = loss
        self.tokenizer = AudioTokenizer(config)
        self.codebook = Codebook(self.tokenizer.codebook, codebook, unit_length=True)
        self.discriminator = PatchDiscriminator(loss.discriminator_width, channels=config.channels)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def start_from(self, tokenizer: AudioTokenizer) -> None:
        """Takes the weights of a tokeniser and begins with its codes.

        Raises:
            TrainError: it has another architecture.
        """
        if tokenizer.config != self.tokenizer.config:
            raise TrainError("init: that tokeniser has another architecture than tokenizer.* says; give its settings")
        self.tokenizer.load_state_dict(tokenizer.state_dict())
        self.codebook.adopt(self.tokenizer.codebook)

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
            loss = loss + self._adversarial(wanted, found, rebuilt, figures)
            self.steps += 1
        counts = torch.bincount(quantised.codes.flatten(), minlength=len(self.tokenizer.codebook))
        distance = (wanted - found).square().mean(dim=(1, 2)).sqrt().mean() * DECIBELS
        figures |= {"log_spectral_distance": distance, "perplexity": perplexity(counts)}
        one = torch.ones((), device=loss.device)
        told = {name: Figure(value.detach(), one) for name, value in figures.items()}
        return Outcome(loss, torch.tensor(float(len(targets)), device=loss.device), told)

    def _adversarial(self, wanted: Tensor, found: Tensor, rebuilt: Tensor, figures: dict[str, Tensor]) -> Tensor:
        """Both sides' losses in one: the weights of neither get a gradient from the other's."""
        weights = self.weights
        if not weights.adversarial or self.steps < weights.adversarial_from:
            return zero_gradients(self.discriminator)
        fooling = -judged_without_learning(self.discriminator, found).mean()
        weight = adaptive_weight(rebuilt, fooling, self.tokenizer.decoder.patches.weight, weights.largest_weight)
        learning = hinge_loss(self.discriminator(wanted), self.discriminator(found.detach()))
        figures |= {"adversarial": fooling, "adaptive_weight": weight, "discriminator": learning}
        return weights.adversarial * weight * fooling + learning


class AudioObjective:
    """The loss of a batch of `SpectrogramBatches`."""

    def __call__(self, model: AudioTraining, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        outcome: Outcome = model(batch["spectrograms"], batch["targets"])
        return outcome
