"""`embodio-data codes`, and a pre-training run that finds its codes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from embodio.model.tokenizers.files import save_tokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.train.commands.data.data import main
from tests.support.train.media_corpus import SMALL_IMAGE, write_media_corpus

CORPORA = """
groups: {all: {rate: 1, objectives: {multimodal: 1}}}
sources:
  drawings: {group: all, rate: 1, path: drawings, title: t, origin: here, licence: CC0}
  gone: {group: all, rate: 1, path: gone, title: t, origin: here, licence: CC0}
"""


def test_codes_are_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = write_media_corpus(tmp_path / "corpus")
    (tmp_path / "mine.yaml").write_text(CORPORA)
    (tmp_path / "image").mkdir()
    torch.manual_seed(0)
    save_tokenizer(tmp_path / "image", ImageTokenizer(SMALL_IMAGE))
    command = ["codes", str(corpus), f"corpora={tmp_path / 'mine.yaml'}", f"image_tokenizer={tmp_path / 'image'}"]
    assert main(command) == 0
    told = capsys.readouterr().err
    assert "9 records in 2 parts: 9 image codes are new" in told and "left out: gone" in told
    assert main(command) == 0
    assert "0 image codes are new" in capsys.readouterr().err
    assert len(list((corpus / ".embodio" / "codes").glob("image-*/*.npy"))) == 2


def test_mistakes_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in ((["workers=1"], "at least one"), (["image_tokenizer=x", "engine=cloud"], "local, ray")):
        assert main(["codes", str(tmp_path), *arguments]) != 0
        assert message in capsys.readouterr().err
