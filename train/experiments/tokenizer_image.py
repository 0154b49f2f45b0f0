"""The experiment that trains an image tokeniser on the pictures of a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from embodio.model.config.parts import ImageTokenizerConfig
from embodio.model.config.sizes import NANO_IMAGE_TOKENIZER
from embodio.train.command_line.ranges import COUNT, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.experiment import Experiment, Parts
from embodio.train.tokenizers.run_settings import CorpusRun
from embodio.train.tokenizers.settings import CodebookConfig, ImageLossConfig

if TYPE_CHECKING:
    from embodio.train.tokenizers.image import ImageTraining


@dataclass(frozen=True)
class ImageTokenizerRun(CorpusRun):
    """Training of an image tokeniser.

    Attributes:
        tokenizer: architecture; tokenizer.image_size and tokenizer.patch_size give the grid of codes.
        loss: weights of the losses.
        codebook: how the codebook is trained.
        crop: side in pixels of random parts of pictures that are seen instead of whole ones, which is cheaper; 0 for
            whole pictures.
    """

    sources: tuple[str, ...] = ("openclipart",)
    tokenizer: ImageTokenizerConfig = field(default_factory=lambda: NANO_IMAGE_TOKENIZER)
    loss: ImageLossConfig = field(default_factory=ImageLossConfig)
    codebook: CodebookConfig = field(default_factory=CodebookConfig)
    crop: int = 0
    holdout: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, crop=COUNT)
        patch, side = self.tokenizer.patch_size[0], min(self.tokenizer.image_size)
        if self.crop and (self.crop % patch or self.crop > side):
            raise UsageError(f"crop: got {self.crop}, expected a multiple of {patch} up to {side}")


def build(config: ImageTokenizerRun) -> Parts[ImageTraining]:
    """The network, its pictures, and a validator of held-out ones; raises DatasetError if there are none."""
    from embodio.model.tokenizers.files import load_image_tokenizer
    from embodio.train.tokenizers.image import ImageObjective, ImageTraining
    from embodio.train.tokenizers.parts import MediaSplits
    from embodio.train.tokenizers.pictures import PictureBatches, held_out_batches
    from embodio.train.tokenizers.report import image_findings

    canvas, media = config.tokenizer.image_size, MediaSplits.of(config, "pictures")
    network = ImageTraining(config.tokenizer, config.loss, config.codebook)
    if config.init:
        network.start_from(load_image_tokenizer(config.init))
    return media.parts(
        network,
        PictureBatches(media.train, config.seed, config.batch_size, canvas, crop=config.crop),
        ImageObjective(),
        held_out_batches(media.validation, canvas, config.batch_size, config.holdout),
        partial(image_findings, measured=config.holdout),
    )


EXPERIMENT = Experiment(
    schema=ImageTokenizerRun,
    build=build,
    description="Train an image tokeniser (a VQ-GAN) on the pictures of a corpus.",
    examples=("embodio-train experiment=tokenizer/image data=corpus out=runs/image",),
)
