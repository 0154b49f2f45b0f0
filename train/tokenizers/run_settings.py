"""Settings that the trainings of tokenisers and vocoders have in common, besides those of all runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from embodio.train.command_line.ranges import AT_LEAST_ONE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.run_config import RunConfig


@dataclass(frozen=True)
class CorpusRun(RunConfig):
    """A training on pictures or sounds of a corpus.

    Attributes:
        data: folder of a corpus, as `embodio-data corpus` makes it.
        sources: sources of the corpus whose pictures or sounds are used.
        init: folder of a network of the same kind, or the name of one that ships, whose weights a new run begins with.
        holdout: pictures or sounds of the validation split that are measured.
    """

    free_on_resume: ClassVar[tuple[str, ...]] = (*RunConfig.free_on_resume, "data", "holdout", "init")

    data: str = ""
    sources: tuple[str, ...] = ()
    init: str = ""
    holdout: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        require_ranges(self, holdout=AT_LEAST_ONE)
        if not self.data:
            raise UsageError("data: give the folder of a corpus; embodio-data corpus out=DIR makes one")
        if self.lora.rank:
            raise UsageError("lora.rank: a tokeniser or vocoder is trained whole, with its discriminator; leave it out")
        if self.recompute:
            raise UsageError(
                "recompute: a tokeniser or vocoder computes nothing twice, as codes move and discriminators judge in "
                "the forward pass; take a smaller batch_size"
            )
        if self.accumulate > 1:
            raise UsageError("accumulate: codes move with every batch of a tokeniser, so that batches do not add up")
