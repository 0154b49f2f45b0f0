"""The experiment that trains the image tower of a network on the labelled pictures of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from embodio.train.command_line.ranges import AT_LEAST_ONE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.experiment import Experiment, Parts
from embodio.train.run_config import RunConfig
from embodio.train.towers.settings import TowerLossConfig, WordsConfig

if TYPE_CHECKING:
    from embodio.train.towers.image import TowerTraining


@dataclass(frozen=True)
class ImageTowerRun(RunConfig):
    """Training of an image tower.

    Attributes:
        data: folder of a corpus, as `embodio-data corpus` makes it.
        sources: sources of the corpus whose pictures are used; those with masks teach names and boxes of things, the
            others the words of their captions.
        size: named size of the network that the tower is for.
        loss: weights of the losses.
        words: the words that are learned.
        holdout: pictures of the validation split that are measured.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*RunConfig.free_on_resume, "data", "holdout")

    data: str = ""
    sources: tuple[str, ...] = ("scenes", "robots", "openclipart")
    size: str = "nano_generalist"
    loss: TowerLossConfig = field(default_factory=TowerLossConfig)
    words: WordsConfig = field(default_factory=WordsConfig)
    holdout: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, holdout=AT_LEAST_ONE)
        if not self.data:
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")
        if not self.sources:
            raise UsageError("sources: give at least one source of pictures, such as scenes")
        if self.lora.rank:
            raise UsageError("lora.rank: a tower is trained whole; leave it out")
        if self.accumulate > 1:
            raise UsageError("accumulate: batches of a tower do not add up; take a larger batch_size")


def build(config: ImageTowerRun) -> Parts[TowerTraining]:
    """The tower, its pictures, and a validator of held-out ones.

    Raises:
        DatasetError: there are no pictures, or no words.
        ConfigError: there is no such size, or its network has no image tower.
    """
    from embodio.datasets.errors import DatasetError
    from embodio.model.config.model import ModelConfig
    from embodio.model.errors import ConfigError
    from embodio.train.tokenizers.media import CorpusMedia
    from embodio.train.towers.image import TowerBundle, TowerObjective, TowerTraining
    from embodio.train.towers.labels import Words
    from embodio.train.towers.pictures import LabelledBatches, held_out_pictures
    from embodio.train.validation import Validator

    network = ModelConfig.named(config.size)
    tower = network.image_tower
    if tower is None:
        raise ConfigError(f"size: {config.size} has no image tower")
    train, kept = (CorpusMedia(Path(config.data), config.sources, split) for split in ("train", "validation"))  # type: ignore[arg-type]
    words = Words.of(train, config.words)
    if not words.words:
        raise DatasetError(f"words.fewest: no word is in {config.words.fewest} pictures of {config.data}; take fewer")
    canvas, patch = network.image_size, tower.patch_size
    return Parts(
        network=TowerTraining(tower, network.patch_grids["image"], len(words.words), config.loss),
        batches=LabelledBatches(train, words, config.seed, config.batch_size, canvas, patch),
        objective=TowerObjective(),
        bundle=TowerBundle(),
        validators={
            "pictures": Validator(held_out_pictures(kept, words, canvas, patch, config.batch_size, config.holdout))
        },
        identity={"pictures": {"train": train.digest, "validation": kept.digest}},
        notes=[f"{len(train)} pictures to train on, {len(kept)} held out; {len(words.words)} words"],
    )


EXPERIMENT = Experiment(
    schema=ImageTowerRun,
    build=build,
    description="Train the image tower of a network on the labelled pictures of a corpus, for image_tower= of a stage.",
    examples=("embodio-train experiment=image_tower data=corpus out=runs/tower",),
)
