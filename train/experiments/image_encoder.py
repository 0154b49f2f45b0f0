"""The experiment that trains the image encoder of a network on the labelled pictures of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from embodio.train.command_line.ranges import AT_LEAST_ONE, NOT_NEGATIVE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.experiment import Experiment, Parts
from embodio.train.image_encoder.settings import SightLossConfig, WordsConfig
from embodio.train.run_config import RunConfig

if TYPE_CHECKING:
    from embodio.model.network.network import UnifiedIO2
    from embodio.model.tokens.vocabulary import Vocabulary
    from embodio.train.image_encoder.network import ImageEncoderTraining


@dataclass(frozen=True)
class ImageEncoderRun(RunConfig):
    """Training of an image encoder.

    Attributes:
        data: folder of a corpus, as `embodio-data corpus` makes it.
        sources: sources of the corpus whose pictures are used; those with masks teach names and boxes of things, the
            others the words of their captions.
        init: folder of the network whose image tower and encoder are trained, such as that of a pre-training.
        fresh: patterns of the names of weights that a new run does not take from `init`, but draws.
        loss: weights of the losses.
        words: the words that are learned.
        value_wavelength: a new run draws the embeddings of the value tokens again, as waves over the value; the
            shortest of them have this length in tokens; 0 keeps those of `init`.
        position_strength: a new run adds waves of this root mean square to the positions of the tower; 0 for none.
        holdout: pictures of the validation split that are measured.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*RunConfig.free_on_resume, "data", "init", "holdout")

    data: str = ""
    sources: tuple[str, ...] = ("scenes", "robots", "openclipart")
    init: str = ""
    fresh: tuple[str, ...] = ("towers.image.*", "inputs.image.*")
    loss: SightLossConfig = field(default_factory=SightLossConfig)
    words: WordsConfig = field(default_factory=WordsConfig)
    value_wavelength: float = 40.0
    position_strength: float = 0.4
    holdout: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, holdout=AT_LEAST_ONE, value_wavelength=NOT_NEGATIVE, position_strength=NOT_NEGATIVE)
        if not self.data:
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")
        if not self.init:
            raise UsageError("init: give the folder of a network; embodio-train experiment=pretrain_nano makes one")
        if not self.sources:
            raise UsageError("sources: give at least one source of pictures, such as scenes")
        if self.lora.rank:
            raise UsageError("lora.rank: an image encoder is trained whole; leave it out")
        if self.accumulate > 1:
            raise UsageError("accumulate: batches of labelled pictures do not add up; take a larger batch_size")


def build(config: ImageEncoderRun) -> Parts[ImageEncoderTraining]:
    """The network with its heads, the pictures, and a validator of held-out ones.

    Raises:
        DatasetError: there are no pictures, or no words.
        TrainError, ModelError: the network cannot be read, or it sees no images.
    """
    import torch

    from embodio.datasets.errors import DatasetError
    from embodio.train.bundles import InnerNetworkBundle
    from embodio.train.image_encoder.labels import Words
    from embodio.train.image_encoder.network import ImageEncoderTraining
    from embodio.train.image_encoder.pictures import LabelledBatches, held_out_pictures
    from embodio.train.objective import OwnObjective
    from embodio.train.starting_weights import digest_if_here
    from embodio.train.tokenizers.media import CorpusMedia
    from embodio.train.validation import Validator

    network, vocabulary = _seeing(config)
    train, kept = (CorpusMedia(Path(config.data), config.sources, split) for split in ("train", "validation"))  # type: ignore[arg-type]
    words = Words.of(train, config.words)
    if not words.words:
        raise DatasetError(
            f"sources: no word is in {config.words.fewest} pictures of {', '.join(config.sources)}, in captions or "
            "names of things with masks; name other sources, or take a smaller words.fewest"
        )
    torch.manual_seed(config.seed)
    canvas, patch = network.config.image_size, network.config.image_tower.patch_size  # type: ignore[union-attr]
    return Parts(
        network=ImageEncoderTraining(network, vocabulary, words.words, config.loss),
        batches=LabelledBatches(train, words, vocabulary, config.seed, config.batch_size, canvas, patch),
        objective=OwnObjective(),
        bundle=InnerNetworkBundle(vocabulary),
        validators={
            "pictures": Validator(
                held_out_pictures(kept, words, vocabulary, canvas, patch, config.batch_size, config.holdout)
            )
        },
        identity={
            "pictures": {"train": train.digest, "validation": kept.digest},
            "init": digest_if_here(config.init),
        },
        notes=[f"{len(train)} pictures to train on, {len(kept)} held out; {len(words.words)} words"],
    )


def _seeing(config: ImageEncoderRun) -> tuple[UnifiedIO2, Vocabulary]:
    """The network of the run's checkpoint, or that of `init` with its new weights, and its vocabulary."""
    from embodio.train.network.position_embeddings import add_wave_positions
    from embodio.train.network.value_embeddings import wave_value_embeddings
    from embodio.train.starting_weights import begun_or_start, draw_weights

    network, vocabulary, new = begun_or_start(config.out, config.init, "image")
    network.towers["image"].requires_grad_(True)  # those of large networks are frozen
    if new:
        draw_weights(network, config.fresh, config.seed)
        wave_value_embeddings(network, vocabulary, config.value_wavelength, config.seed)
        add_wave_positions(network, "image", config.position_strength, config.seed)
    return network, vocabulary


EXPERIMENT = Experiment(
    schema=ImageEncoderRun,
    build=build,
    description="Train the image tower and encoder of a network on labelled pictures, for init= of the next stage.",
    examples=(
        "embodio-train experiment=image_encoder data=corpus init=runs/pretrain_nano/checkpoint out=runs/image_encoder",
    ),
)
