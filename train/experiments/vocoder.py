"""The experiment that trains a vocoder on the sounds of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from embodio.train.command_line.ranges import COUNT, Range, require_ranges
from embodio.train.experiment import Experiment, Parts
from embodio.train.tokenizers.run_settings import CorpusRun
from embodio.train.tokenizers.settings import VocoderLossConfig

if TYPE_CHECKING:
    from embodio.train.tokenizers.vocoder import VocoderTraining

_LEAST_FRAMES = Range(8)
_HELD_OUT_FRAMES = 256


@dataclass(frozen=True)
class VocoderRun(CorpusRun):
    """Training of a vocoder; of each held-out sound 4.1 s are measured.

    Attributes:
        size: named architecture of the generator: nano, or uio2, which is that of the released models.
        channels: channels of the generator after its first convolution; 0 takes those of the size.
        loss: weights of the losses.
        frames: spectrogram frames of a training piece, 16 ms each.
    """

    sources: tuple[str, ...] = ("speech",)
    size: str = "nano"
    channels: int = 0
    loss: VocoderLossConfig = field(default_factory=VocoderLossConfig)
    frames: int = 32
    holdout: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, frames=_LEAST_FRAMES, channels=COUNT)


def build(config: VocoderRun) -> Parts[VocoderTraining]:
    """The network, its sounds, and a validator of held-out ones; raises DatasetError if there are none."""
    from embodio.model.processing.audio_features import HOP
    from embodio.model.tokenizers.files import load_saved_vocoder
    from embodio.model.tokenizers.vocoder import VocoderConfig
    from embodio.train.tokenizers.parts import MediaSplits
    from embodio.train.tokenizers.report import vocoder_findings
    from embodio.train.tokenizers.sounds import SoundBatches, held_out_batches, piece_batch
    from embodio.train.tokenizers.vocoder import VocoderObjective, VocoderTraining

    architecture, media = VocoderConfig.named(config.size), MediaSplits.of(config, "sounds")
    if config.channels:
        architecture = replace(architecture, channels=config.channels)
    network = VocoderTraining(architecture, config.loss)
    if config.init:
        network.start_from(load_saved_vocoder(config.init))
    collate = partial(piece_batch, bands=architecture.num_mels)
    whole = partial(collate, frames=_HELD_OUT_FRAMES)
    return media.parts(
        network,
        SoundBatches(
            media.train, config.seed, config.batch_size, config.frames * HOP, partial(collate, frames=config.frames)
        ),
        VocoderObjective(),
        held_out_batches(media.validation, _HELD_OUT_FRAMES * HOP, config.holdout, 8, whole),
        partial(vocoder_findings, measured=config.holdout),
    )


EXPERIMENT = Experiment(
    schema=VocoderRun,
    build=build,
    description="Train a vocoder (HiFi-GAN), which turns spectrograms into sound, on the sounds of a corpus.",
    examples=("embodio-train experiment=tokenizer/vocoder data=corpus out=runs/vocoder",),
)
