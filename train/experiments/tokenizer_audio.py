"""The experiment that trains an audio tokeniser on the sounds of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from embodio.model.config.parts import AudioTokenizerConfig
from embodio.model.config.sizes import NANO_AUDIO_TOKENIZER
from embodio.train.command_line.ranges import AT_LEAST_ONE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.experiment import Experiment, Parts
from embodio.train.run_config import RunConfig
from embodio.train.tokenizers.settings import AudioLossConfig, CodebookConfig

if TYPE_CHECKING:
    from embodio.train.tokenizers.audio import AudioTraining


@dataclass(frozen=True)
class AudioTokenizerRun(RunConfig):
    """Training of an audio tokeniser.

    Attributes:
        data: folder of a corpus, as `embodio-data corpus` makes it.
        sources: sources of the corpus whose sounds are used.
        tokenizer: architecture; tokenizer.spectrogram_size and tokenizer.patch_size give the grid of codes.
        loss: weights of the losses.
        codebook: how the codebook is trained.
        vocoder: folder of a vocoder, or the name of one that ships, by which the report is heard, too.
        init: folder of a tokeniser, or the name of one that ships, whose weights a new run begins with.
        holdout: sounds of the validation split that are measured.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*RunConfig.free_on_resume, "data", "holdout", "init", "vocoder")

    data: str = ""
    sources: tuple[str, ...] = ("speech",)
    tokenizer: AudioTokenizerConfig = field(default_factory=lambda: NANO_AUDIO_TOKENIZER)
    loss: AudioLossConfig = field(default_factory=AudioLossConfig)
    codebook: CodebookConfig = field(default_factory=CodebookConfig)
    vocoder: str = ""
    init: str = ""
    holdout: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, holdout=AT_LEAST_ONE)
        if not self.data:
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")


def build(config: AudioTokenizerRun) -> Parts[AudioTraining]:
    """The network, its sounds, and a validator of held-out ones; raises DatasetError if there are none."""
    from embodio.model.processing.audio_features import segment_samples
    from embodio.model.tokenizers.files import load_audio_tokenizer, load_saved_vocoder
    from embodio.train.tokenizers.audio import AudioObjective, AudioTraining
    from embodio.train.tokenizers.bundle import TokenizerBundle
    from embodio.train.tokenizers.media import CorpusMedia
    from embodio.train.tokenizers.report import TokenizerReport, audio_findings
    from embodio.train.tokenizers.sounds import SpectrogramBatches, held_out_batches, spectrogram_batch
    from embodio.train.validation import Validator

    bands, frames = config.tokenizer.spectrogram_size
    train, validation = (CorpusMedia(Path(config.data), config.sources, split) for split in ("train", "validation"))
    network = AudioTraining(config.tokenizer, config.loss, config.codebook)
    if config.init:
        network.start_from(load_audio_tokenizer(config.init))
    vocoder = load_saved_vocoder(config.vocoder) if config.vocoder else None
    collate = partial(spectrogram_batch, bands=bands)
    held_out = held_out_batches(validation, segment_samples(frames), config.holdout, config.batch_size, collate)
    return Parts(
        network=network,
        batches=SpectrogramBatches(train, config.seed, config.batch_size, frames, bands),
        objective=AudioObjective(),
        bundle=TokenizerBundle(),
        validators={"sounds": Validator(held_out)},
        identity={"sounds": {"train": train.digest, "validation": validation.digest}},
        notes=[f"{len(train)} sounds to train on, {len(validation)} held out"],
        observers=[
            TokenizerReport(partial(audio_findings, vocoder=vocoder, media=validation, measured=config.holdout))
        ],
    )


EXPERIMENT = Experiment(
    schema=AudioTokenizerRun,
    build=build,
    description="Train an audio tokeniser (a ViT-VQ-GAN on spectrograms) on the sounds of a corpus.",
    examples=("embodio-train experiment=tokenizer/audio data=corpus out=runs/audio",),
)
