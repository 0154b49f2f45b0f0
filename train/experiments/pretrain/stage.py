"""Settings that the stages of one network share: size, tokenisers, first weights, and how it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import ClassVar

from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, SHARE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.run_config import RunConfig

TARGETS = ("text", "image", "audio")


@dataclass(frozen=True)
class NetworkStageConfig(RunConfig):
    """Training of one network on data in a folder.

    Attributes:
        data: folder of the data.
        size: named size of the network: nano_generalist, large, xl or xxl.
        targets: what the network writes: text, image, audio.
        vocabulary: file of text pieces, or folder with a vocabulary.model; text-nano, which ships; empty for those of
            policies, 512 pieces.
        image_tokenizer: folder or shipped name of the frozen tokeniser of image targets.
        audio_tokenizer: the same for audio targets.
        vocoder: folder or shipped name of what makes the sounds of the report; empty for the one that ships for the
            audio tokeniser, and Griffin-Lim for other tokenisers.
        codes: use codes that `embodio-data codes` made ahead next to the corpus, where it has them; or ignore them.
        init: initial weights of a new run instead of random ones, see embodio-train --help.
        patches: share of the patches of images and sounds that the encoders see in training; validation sees all.
        dynamic_masking: hide from the decoder what was hidden from the encoder (paper, section 3.3).
        sparse_decoding: row, column and neighbourhood masks for image and audio targets (paper, section 3.2).
        holdout: records of the validation split of each source that are measured.
        samples: held-out examples whose targets the network writes at each validation, for the report; 0 for none.
        value_smoothness: neighbouring value tokens start with similar embeddings; width in tokens, 0 for none.
        value_wavelength: value tokens start as waves over the value instead, of which the shortest have this length in
            tokens; 0 for none. With few demonstrations a policy learns much faster from 40, see docs/pretraining.md.
        z_loss: weight of the squared log-partition in the loss.
        modality_weights: target modality -> factor of its mean loss; those not named count 1.
        length_discount: the n target tokens of an example count n ** -length_discount each: 0 is the paper's, where
            every token counts the same; with 1 every example does, so that brief answers are not lost among long ones.
    """

    packs: ClassVar[bool] = True
    free_on_resume: ClassVar[tuple[str, ...]] = (
        *RunConfig.free_on_resume,
        *("data", "init", "holdout", "samples"),
        *("vocabulary", "image_tokenizer", "audio_tokenizer", "vocoder", "codes"),
    )
    """What paths refer to is compared instead, by content."""

    data: str = ""
    size: str = "nano_generalist"
    targets: tuple[str, ...] = TARGETS
    vocabulary: str = ""
    image_tokenizer: str = ""
    audio_tokenizer: str = ""
    vocoder: str = ""
    codes: str = "use"
    init: str = ""
    patches: float = 0.5
    dynamic_masking: bool = True
    sparse_decoding: bool = False
    holdout: int = 128
    samples: int = 8
    value_smoothness: float = 6.0
    value_wavelength: float = 0.0
    z_loss: float = 1e-4
    modality_weights: dict[str, float] = field(default_factory=dict)
    length_discount: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.codes not in ("use", "ignore"):
            raise UsageError(f"codes: got {self.codes!r}, expected use or ignore")
        if not self.targets or not set(self.targets) <= set(TARGETS):
            raise UsageError(f"targets: got {list(self.targets)}, expected some of {', '.join(TARGETS)}")
        for name in ("image", "audio"):
            given = bool(getattr(self, f"{name}_tokenizer"))
            if given != (name in self.targets):
                problem = f"targets has {name}, so give one" if not given else f"targets lacks {name}, so leave it out"
                raise UsageError(f"{name}_tokenizer: {problem}")
        for name, weight in self.modality_weights.items():
            if name not in self.targets or not (isfinite(weight) and weight >= 0):
                raise UsageError(
                    f"modality_weights.{name}: got {weight}, expected a number of at least 0 for one of "
                    f"{', '.join(self.targets)}"
                )
        if not self.patches > 0:
            raise UsageError(f"patches: got {self.patches}, expected a share above 0")
        require_ranges(self, patches=SHARE, holdout=AT_LEAST_ONE, samples=COUNT)
        require_ranges(
            self,
            value_smoothness=NOT_NEGATIVE,
            value_wavelength=NOT_NEGATIVE,
            z_loss=NOT_NEGATIVE,
            length_discount=SHARE,
        )
