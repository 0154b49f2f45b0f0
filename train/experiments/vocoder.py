"""The experiment that trains a vocoder on the sounds of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from embodio.train.command_line.ranges import COUNT, Range, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.experiment import Experiment, Parts
from embodio.train.tokenizers.run_settings import CorpusRun
from embodio.train.tokenizers.settings import VocoderLossConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from embodio.model.network.batch import Batch
    from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
    from embodio.model.tokenizers.vocoder import VocoderConfig
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
        through: audio tokeniser, by its folder or the name of one that ships, whose spectrograms it learns to make
            audible, as they come out of its codes; "" for those of the sounds themselves.
    """

    sources: tuple[str, ...] = ("speech",)
    size: str = "nano"
    channels: int = 0
    loss: VocoderLossConfig = field(default_factory=VocoderLossConfig)
    frames: int = 32
    through: str = ""
    holdout: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, frames=_LEAST_FRAMES, channels=COUNT)


def build(config: VocoderRun) -> Parts[VocoderTraining]:
    """The network, its sounds, and a validator of held-out ones; raises DatasetError if there are none."""
    from embodio.model.processing.audio_features import HOP, segment_samples
    from embodio.model.tokenizers.files import load_audio_tokenizer, load_saved_vocoder
    from embodio.model.tokenizers.vocoder import VocoderConfig
    from embodio.train.tokenizers.parts import MediaSplits
    from embodio.train.tokenizers.report import vocoder_findings
    from embodio.train.tokenizers.sounds import DecodedPieces, SoundBatches, held_out_batches, piece_batch
    from embodio.train.tokenizers.vocoder import VocoderObjective, VocoderTraining

    architecture, media = VocoderConfig.named(config.size), MediaSplits.of(config, "sounds")
    if config.channels:
        architecture = replace(architecture, channels=config.channels)
    network = VocoderTraining(architecture, config.loss)
    if config.init:
        network.start_from(load_saved_vocoder(config.init))
    tokenizer = load_audio_tokenizer(config.through) if config.through else None
    collate: Callable[..., Batch]
    whole: Callable[..., Batch]
    if tokenizer is None:
        collate, whole = (
            partial(piece_batch, bands=architecture.num_mels, frames=frames)
            for frames in (config.frames, _HELD_OUT_FRAMES)
        )
        samples, held_out = config.frames * HOP, _HELD_OUT_FRAMES * HOP
    else:
        length = _segment_frames(tokenizer, architecture, config.frames)
        collate, whole = (DecodedPieces(tokenizer, frames) for frames in (config.frames, length))
        samples = held_out = segment_samples(length)
    return media.parts(
        network,
        SoundBatches(media.train, config.seed, config.batch_size, samples, collate),
        VocoderObjective(),
        held_out_batches(media.validation, held_out, config.holdout, 8, whole),
        partial(vocoder_findings, measured=config.holdout, tokenizer=tokenizer),
    )


def _segment_frames(tokenizer: AudioTokenizer, architecture: VocoderConfig, frames: int) -> int:
    """The frames of a tokeniser's segment; raises UsageError if it suits neither the vocoder nor the pieces."""
    bands, length = tokenizer.config.spectrogram_size
    if bands != architecture.num_mels:
        raise UsageError(f"through: it has {bands} mel bands, and the vocoder reads {architecture.num_mels}")
    if frames > length:
        raise UsageError(f"frames: got {frames}, but the segments of {length} frames of through= are shorter")
    return length


EXPERIMENT = Experiment(
    schema=VocoderRun,
    build=build,
    description="Train a vocoder (HiFi-GAN), which turns spectrograms into sound, on the sounds of a corpus.",
    examples=(
        "embodio-train experiment=tokenizer/vocoder data=corpus out=runs/vocoder",
        "embodio-train experiment=tokenizer/vocoder data=corpus through=audio-nano out=runs/vocoder_of_codes",
    ),
)
