"""The experiment that trains a vocoder on the sounds of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, Range, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.experiment import Experiment, Parts
from embodio.train.run_config import RunConfig
from embodio.train.tokenizers.settings import VocoderLossConfig

if TYPE_CHECKING:
    from embodio.train.tokenizers.vocoder import VocoderTraining

_LEAST_FRAMES = Range(8)
_HELD_OUT_FRAMES = 256


@dataclass(frozen=True)
class VocoderRun(RunConfig):
    """Training of a vocoder.

    Attributes:
        data: folder of a corpus, as `embodio-data corpus` makes it.
        sources: sources of the corpus whose sounds are used.
        size: named architecture of the generator: nano, or uio2, which is that of the released models.
        channels: channels of the generator after its first convolution; 0 takes those of the size.
        loss: weights of the losses.
        frames: spectrogram frames of a training piece, 16 ms each.
        init: folder of a vocoder, or the name of one that ships, whose weights a new run begins with.
        holdout: sounds of the validation split that are measured, 4.1 s of each.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*RunConfig.free_on_resume, "data", "holdout", "init")

    data: str = ""
    sources: tuple[str, ...] = ("speech",)
    size: str = "nano"
    channels: int = 0
    loss: VocoderLossConfig = field(default_factory=VocoderLossConfig)
    frames: int = 32
    init: str = ""
    holdout: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, holdout=AT_LEAST_ONE, frames=_LEAST_FRAMES, channels=COUNT)
        if not self.data:
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")


def build(config: VocoderRun) -> Parts[VocoderTraining]:
    """The network, its sounds, and a validator of held-out ones; raises DatasetError if there are none."""
    from embodio.model.processing.audio_features import HOP
    from embodio.model.tokenizers.files import load_saved_vocoder
    from embodio.model.tokenizers.vocoder import VocoderConfig
    from embodio.train.tokenizers.bundle import TokenizerBundle
    from embodio.train.tokenizers.media import CorpusMedia
    from embodio.train.tokenizers.report import TokenizerReport, vocoder_findings
    from embodio.train.tokenizers.sounds import PieceBatches, held_out_batches, piece_batch
    from embodio.train.tokenizers.vocoder import VocoderObjective, VocoderTraining
    from embodio.train.validation import Validator

    architecture = VocoderConfig.named(config.size)
    if config.channels:
        architecture = replace(architecture, channels=config.channels)
    train, validation = (CorpusMedia(Path(config.data), config.sources, split) for split in ("train", "validation"))
    network = VocoderTraining(architecture, config.loss)
    if config.init:
        network.start_from(load_saved_vocoder(config.init))
    collate = partial(piece_batch, frames=_HELD_OUT_FRAMES, bands=architecture.num_mels)
    held_out = held_out_batches(validation, _HELD_OUT_FRAMES * HOP, config.holdout, 8, collate)
    return Parts(
        network=network,
        batches=PieceBatches(train, config.seed, config.batch_size, config.frames, architecture.num_mels),
        objective=VocoderObjective(),
        bundle=TokenizerBundle(),
        validators={"sounds": Validator(held_out)},
        identity={"sounds": {"train": train.digest, "validation": validation.digest}},
        notes=[f"{len(train)} sounds to train on, {len(validation)} held out"],
        observers=[TokenizerReport(partial(vocoder_findings, media=validation, measured=config.holdout))],
    )


EXPERIMENT = Experiment(
    schema=VocoderRun,
    build=build,
    description="Train a vocoder (HiFi-GAN), which turns spectrograms into sound, on the sounds of a corpus.",
    examples=("embodio-train experiment=tokenizer/vocoder data=corpus out=runs/vocoder",),
)
