"""The part of a tokeniser's checkpoint that is read outside training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.files import save_tokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokenizers.vocoder import Vocoder


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
