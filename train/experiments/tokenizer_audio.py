"""The experiment that trains an audio tokeniser on the sounds of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from embodio.model.config.parts import AudioTokenizerConfig
from embodio.model.config.sizes import NANO_AUDIO_TOKENIZER
from embodio.train.experiment import Experiment, Parts
from embodio.train.tokenizers.run_settings import CorpusRun
from embodio.train.tokenizers.settings import CodebookConfig, CodedLossConfig

if TYPE_CHECKING:
    from embodio.train.tokenizers.audio import AudioTraining


@dataclass(frozen=True)
class AudioTokenizerRun(CorpusRun):
    """Training of an audio tokeniser.

    Attributes:
        tokenizer: architecture; tokenizer.spectrogram_size and tokenizer.patch_size give the grid of codes.
        loss: weights of the losses.
        codebook: how the codebook is trained.
        vocoder: folder of a vocoder, or the name of one that ships, by which the report is heard, too.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*CorpusRun.free_on_resume, "vocoder")

    sources: tuple[str, ...] = ("speech",)
    tokenizer: AudioTokenizerConfig = field(default_factory=lambda: NANO_AUDIO_TOKENIZER)
    loss: CodedLossConfig = field(default_factory=CodedLossConfig)
    codebook: CodebookConfig = field(default_factory=CodebookConfig)
    vocoder: str = ""


def build(config: AudioTokenizerRun) -> Parts[AudioTraining]:
    """The network, its sounds, and a validator of held-out ones.

    Raises:
        DatasetError: there are no sounds.
        ConfigError, WeightsError: the vocoder cannot be read, or reads other spectrograms.
    """
    from embodio.model.processing.audio_features import segment_samples
    from embodio.model.tokenizers.files import load_audio_tokenizer, load_saved_vocoder
    from embodio.train.tokenizers.audio import AudioObjective, AudioTraining
    from embodio.train.tokenizers.parts import MediaSplits
    from embodio.train.tokenizers.report import audio_findings
    from embodio.train.tokenizers.sounds import SoundBatches, held_out_batches, spectrogram_batch

    bands, frames = config.tokenizer.spectrogram_size
    media, samples = MediaSplits.of(config, "sounds"), segment_samples(frames)
    network = AudioTraining(config.tokenizer, config.loss, config.codebook)
    if config.init:
        network.start_from(load_audio_tokenizer(config.init))
    vocoder = load_saved_vocoder(config.vocoder, bands=bands) if config.vocoder else None
    collate = partial(spectrogram_batch, bands=bands)
    return media.parts(
        network,
        SoundBatches(media.train, config.seed, config.batch_size, samples, collate),
        AudioObjective(),
        held_out_batches(media.validation, samples, config.holdout, config.batch_size, collate),
        partial(audio_findings, vocoder=vocoder, measured=config.holdout),
    )


EXPERIMENT = Experiment(
    schema=AudioTokenizerRun,
    build=build,
    description="Train an audio tokeniser (a ViT-VQ-GAN on spectrograms) on the sounds of a corpus.",
    examples=("embodio-train experiment=tokenizer/audio data=corpus out=runs/audio",),
)
