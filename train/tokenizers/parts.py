"""The parts of a training on a corpus: media of both splits, a validator, report of reconstructions, and bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.files import save_tokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokenizers.vocoder import Vocoder
from embodio.train.experiment import Parts
from embodio.train.objective import Objective
from embodio.train.tokenizers.media import CorpusMedia
from embodio.train.tokenizers.report import Findings, TokenizerReport
from embodio.train.tokenizers.run_settings import CorpusRun
from embodio.train.validation import HeldOutBatches, Validator


class Trained(Protocol):
    """A network in training around the one that is used later."""

    @property
    def tokenizer(self) -> ImageTokenizer | AudioTokenizer | Vocoder:
        """What is used later."""


@dataclass(frozen=True)
class TokenizerBundle:
    """Writes the tokeniser alone, as `load_image_tokenizer` and its siblings read it."""

    def write(self, folder: Path, model: Trained) -> None:
        """Writes weights, config and checksums."""
        save_tokenizer(folder, model.tokenizer)


@dataclass(frozen=True)
class MediaSplits:
    """What a run trains on and what it holds out.

    Attributes:
        kind: what is in them.
        train: the training split.
        validation: the other one.
    """

    kind: Literal["pictures", "sounds"]
    train: CorpusMedia
    validation: CorpusMedia

    @classmethod
    def of(cls, config: CorpusRun, kind: Literal["pictures", "sounds"]) -> MediaSplits:
        """Those of the sources of a run."""
        return cls(kind, *(CorpusMedia(Path(config.data), config.sources, split) for split in ("train", "validation")))

    def parts(
        self,
        network: Any,
        batches: Any,
        objective: Objective[Any],
        held_out: HeldOutBatches,
        find: Callable[..., Findings],
    ) -> Parts[Any]:
        """The parts of a run; raises DatasetError if there are no such media.

        Args:
            network: in training.
            batches: of the training split.
            objective: of the network.
            held_out: of the validation split.
            find: makes the report from the network that is used later and `media`, the validation split.
        """
        return Parts(
            network=network,
            batches=batches,
            objective=objective,
            bundle=TokenizerBundle(),
            validators={self.kind: Validator(held_out)},
            identity={self.kind: {"train": self.train.digest, "validation": self.validation.digest}},
            notes=[f"{len(self.train)} {self.kind} to train on, {len(self.validation)} held out"],
            observers=[TokenizerReport(partial(find, media=self.validation))],
        )
