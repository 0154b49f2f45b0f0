"""The experiment that trains the sound encoder of a network on the transcribed sounds of a corpus."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from embodio.train.command_line.ranges import AT_LEAST_ONE, NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.experiment import Experiment, Parts
from embodio.train.run_config import RunConfig

if TYPE_CHECKING:
    from embodio.model.network.network import UnifiedIO2
    from embodio.model.tokens.vocabulary import Vocabulary
    from embodio.train.sound_encoder.network import SoundEncoderTraining


@dataclass(frozen=True)
class SoundEncoderRun(RunConfig):
    """Training of a sound encoder.

    Attributes:
        data: folder of a corpus, as `embodio-data corpus` makes it.
        sources: sources of the corpus whose sounds have transcripts.
        init: folder of the network whose audio tower is trained, such as that of the image encoder's training.
        fresh: patterns of the names of weights that a new run does not take from `init`, but draws.
        position_strength: a new run adds waves of this root mean square to the positions of the tower; 0 for none.
        holdout: sounds of the validation split that are measured.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*RunConfig.free_on_resume, "data", "init", "holdout")

    data: str = ""
    sources: tuple[str, ...] = ("commands",)
    init: str = ""
    fresh: tuple[str, ...] = ("towers.audio.*", "inputs.audio.*")
    position_strength: float = 0.4
    holdout: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, holdout=AT_LEAST_ONE, position_strength=NOT_NEGATIVE)
        if not self.data:
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")
        if not self.init:
            raise UsageError("init: give the folder of a network; embodio-train experiment=image_encoder makes one")
        if not self.sources:
            raise UsageError("sources: give at least one source of speech, such as commands")
        if self.lora.rank:
            raise UsageError("lora.rank: a sound encoder is trained whole; leave it out")
        if self.accumulate > 1:
            raise UsageError("accumulate: batches of transcribed sounds do not add up; take a larger batch_size")


def build(config: SoundEncoderRun) -> Parts[SoundEncoderTraining]:
    """The network, the sounds, and a validator of held-out ones.

    Raises:
        DatasetError: there are no sounds, or no transcripts.
        TrainError, ModelError: the network cannot be read, or it hears nothing.
    """
    from embodio.train.bundles import InnerNetworkBundle
    from embodio.train.objective import OwnObjective
    from embodio.train.sound_encoder.network import SoundEncoderTraining
    from embodio.train.sound_encoder.sounds import TranscribedBatches, held_out_sounds
    from embodio.train.sound_encoder.transcripts import Pieces
    from embodio.train.starting_weights import digest_if_here
    from embodio.train.tokenizers.media import CorpusMedia
    from embodio.train.validation import Validator

    network, vocabulary = _hearing(config)
    train, kept = (CorpusMedia(Path(config.data), config.sources, split) for split in ("train", "validation"))  # type: ignore[arg-type]
    pieces = Pieces.of(train, vocabulary)
    size, patch = network.config.audio_size, network.config.audio_tower.patch_size  # type: ignore[union-attr]
    return Parts(
        network=SoundEncoderTraining(network, pieces),
        batches=TranscribedBatches(train, pieces, config.seed, config.batch_size, size, patch),
        objective=OwnObjective(),
        bundle=InnerNetworkBundle(vocabulary),
        validators={"sounds": Validator(held_out_sounds(kept, pieces, size, patch, config.batch_size, config.holdout))},
        identity={
            "sounds": {"train": train.digest, "validation": kept.digest},
            "init": digest_if_here(config.init),
        },
        notes=[f"{len(train)} sounds to train on, {len(kept)} held out; {len(pieces.ids)} pieces of text"],
    )


def _hearing(config: SoundEncoderRun) -> tuple[UnifiedIO2, Vocabulary]:
    """The network of the run's checkpoint, or that of `init` with its new weights, and its vocabulary."""
    from embodio.train.network.position_embeddings import add_wave_positions
    from embodio.train.starting_weights import begun_or_start, draw_weights

    network, vocabulary, new = begun_or_start(config.out, config.init, "audio")
    if new:
        draw_weights(network, config.fresh, config.seed)
        add_wave_positions(network, "audio", config.position_strength, config.seed)
    return network, vocabulary


EXPERIMENT = Experiment(
    schema=SoundEncoderRun,
    build=build,
    description="Train the audio tower of a network on transcribed sounds, for init= of the next stage.",
    examples=(
        "embodio-train experiment=sound_encoder data=corpus init=runs/image_encoder/checkpoint out=runs/sound_encoder",
    ),
)
