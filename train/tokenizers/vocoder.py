"""Training of the vocoder: HiFi-GAN's generator and its discriminators as one network with one loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from embodio.datasets.metrics.log_spectral_distance import DECIBELS
from embodio.model.network.batch import Batch
from embodio.model.processing.audio_features import FLOOR, HOP, SAMPLE_RATE, WINDOW, hann_window, mel_filters
from embodio.model.tokenizers.vocoder import Vocoder, VocoderConfig
from embodio.train.errors import TrainError
from embodio.train.objective import Outcome
from embodio.train.tokenizers.coded_training import outcome
from embodio.train.tokenizers.discriminators import judged_without_learning, zero_gradients
from embodio.train.tokenizers.settings import VocoderLossConfig
from embodio.train.tokenizers.sound_discriminators import (
    SoundDiscriminators,
    discrimination_loss,
    fooling_loss,
    matching_loss,
)

_SHORT = (256, 64, 64)


class MelSpectrogram(nn.Module):
    """Log-mel energies as a differentiable function of waveforms; equals `mel_power` and `log_mel` for audible sound.

    Args:
        bands: mel bands M.
        window: samples of the Fourier transform.
        hop: samples between frames.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, bands: int, window: int = WINDOW, hop: int = HOP) -> None:
        super().__init__()
        self.hop = hop
        self.register_buffer("window", torch.tensor(hann_window(window), dtype=torch.float32), persistent=False)
        filters = torch.tensor(mel_filters(bands, SAMPLE_RATE, window))
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Log-mel energies [B, 1 + L // hop, M] of waveforms [B, L]."""
        size = len(self.window)
        spectrum = torch.stft(
            waveforms, size, self.hop, window=self.window, center=True, pad_mode="reflect", return_complex=True
        )
        power = torch.view_as_real(spectrum).square().sum(dim=-1)  # its gradient is finite at 0, unlike that of abs()
        return (self.filters @ power).clamp(min=FLOOR).log().transpose(1, 2)


class VocoderTraining(nn.Module):
    """A vocoder with what its training needs.

    Attributes:
        tokenizer: the vocoder; named so because it is what a checkpoint is read for, as of tokenisers.
        discriminators: judge waveforms.
        steps: training steps seen, from which the discriminators take their start.
    """

    steps: Tensor

    def __init__(self, config: VocoderConfig, loss: VocoderLossConfig) -> None:
        super().__init__()
        if config.hop != HOP:
            raise TrainError(f"tokenizer.upsample_rates: their product is {config.hop}, expected {HOP}")
        self.weights = loss
        self.tokenizer = Vocoder(config)
        self.discriminators = SoundDiscriminators(loss.periods, loss.poolings, loss.discriminator_width)
        self.mel = MelSpectrogram(config.num_mels)
        self.short_mel = MelSpectrogram(_SHORT[2], _SHORT[0], _SHORT[1])
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def start_from(self, vocoder: Vocoder) -> None:
        """Takes the weights of a vocoder; raises TrainError if it has another architecture."""
        if vocoder.config != self.tokenizer.config:
            raise TrainError("init: that vocoder has another architecture than tokenizer.* says; give its settings")
        self.tokenizer.load_state_dict(vocoder.state_dict())

    def forward(self, log_mel: Tensor, waveforms: Tensor) -> Outcome:
        """Loss and figures of spectrograms [B, T, M] whose sound is `waveforms` [B, T * 256]."""
        weights = self.weights
        found = self.tokenizer(log_mel).float()
        difference = self.mel(waveforms) - self.mel(found)
        mel = difference.abs().mean()
        short = (self.short_mel(waveforms) - self.short_mel(found)).abs().mean()
        loss = weights.mel * (mel + short)
        figures = {"mel": mel, "short_mel": short}
        if self.training:
            loss = loss + self._adversarial(waveforms, found, figures)
            self.steps += 1
        figures["log_spectral_distance"] = difference.square().mean(dim=2).sqrt().mean() * DECIBELS
        return outcome(loss, figures, len(waveforms))

    def _adversarial(self, real: Tensor, found: Tensor, figures: dict[str, Tensor]) -> Tensor:
        """Both sides' losses in one: the weights of neither get a gradient from the other's."""
        weights = self.weights
        if not weights.adversarial or self.steps < weights.adversarial_from:
            return zero_gradients(self.discriminators)
        told = self.discriminators(real)
        judged = judged_without_learning(self.discriminators, found)
        fooling, matching = fooling_loss(judged), matching_loss(told, judged)
        learning = discrimination_loss(told, self.discriminators(found.detach()))
        figures |= {"adversarial": fooling, "matching": matching, "discriminator": learning}
        return weights.adversarial * fooling + weights.matching * matching + learning


class VocoderObjective:
    """The loss of a batch of pieces of sound."""

    def __call__(self, model: VocoderTraining, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        found: Outcome = model(batch["log_mel"], batch["waveforms"])
        return found
