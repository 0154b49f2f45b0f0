"""Small runs of pre-training on a drawn corpus of pictures, tones and words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.files import save_tokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.train.experiments.pretrain.config import PretrainConfig, PretrainSource
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.run_config import PackingConfig
from tests.support.train.media_corpus import SMALL_AUDIO, SMALL_IMAGE, write_media_corpus

SENTENCES = ("the robot lifts the red cube above the table", "a bell rings twice in the kitchen", "water is poured")


def write_pretraining_corpus(folder: Path) -> Path:
    """Pictures, tones and words, and the tokenisers of small ones."""
    write_media_corpus(folder)
    for split in ("train", "validation"):
        (folder / "words" / split).mkdir(parents=True)
        lines = [json.dumps({"text": f"{split} {sentence}"}) for sentence in SENTENCES]
        (folder / "words" / split / "00000.jsonl").write_text("\n".join(lines) + "\n")
    torch.manual_seed(0)
    for name, network in (("image", ImageTokenizer(SMALL_IMAGE)), ("audio", AudioTokenizer(SMALL_AUDIO))):
        (folder / name).mkdir()
        save_tokenizer(folder / name, network)
    return folder


def pretraining_settings(corpus: Path, out: Path, **changes: Any) -> PretrainConfig:
    """Two packed steps of six examples, with other settings as they are given."""
    config = PretrainConfig(
        out=str(out),
        data=str(corpus),
        sources={name: PretrainSource() for name in ("words", "drawings", "tones")},
        image_tokenizer=str(corpus / "image"),
        audio_tokenizer=str(corpus / "audio"),
        packing=PackingConfig(enabled=True, encoder=400, decoder=512),
        steps=2,
        batch_size=6,
        holdout=2,
        threads=1,
        workers=0,
        log_every=1,
        validate_every=2,
        checkpoint_every=2,
        optimiser=OptimiserConfig(warmup=2),
    )
    return dataclasses.replace(config, **changes)
