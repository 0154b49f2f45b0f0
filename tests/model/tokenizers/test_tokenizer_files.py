"""Folders of tokenisers and vocoders: what is written comes back, in float16 rounded once, and damage is found."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch

from embodio.model.config.sizes import NANO_AUDIO_TOKENIZER, NANO_IMAGE_TOKENIZER
from embodio.model.errors import ConfigError, WeightsError
from embodio.model.tokenizers import files
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.files import (
    load_audio_tokenizer,
    load_image_tokenizer,
    load_saved_vocoder,
    save_tokenizer,
    shipped_names,
)
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokenizers.vocoder import Vocoder, VocoderConfig
from embodio.model.weights.checksums import ChecksumError

AUDIO = dataclasses.replace(NANO_AUDIO_TOKENIZER, encoder_layers=1, decoder_layers=1)


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    networks = (ImageTokenizer(NANO_IMAGE_TOKENIZER), AudioTokenizer(AUDIO), Vocoder(VocoderConfig.named("nano")))
    loaders = (load_image_tokenizer, load_audio_tokenizer, load_saved_vocoder)
    for number, (network, load) in enumerate(zip(networks, loaders, strict=True)):
        folder = tmp_path / str(number)
        folder.mkdir()
        save_tokenizer(folder, network)
        found = load(folder)
        assert found.config == network.config and not found.training
        for name, tensor in network.state_dict().items():
            assert torch.equal(found.state_dict()[name], tensor), name


def test_half_the_size_is_rounded_once_and_widened_exactly(tmp_path: Path) -> None:
    network = AudioTokenizer(AUDIO)
    for name in ("full", "half", "again"):
        (tmp_path / name).mkdir()
    save_tokenizer(tmp_path / "full", network)
    save_tokenizer(tmp_path / "half", network, half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.52 * sizes[0]
    found = load_audio_tokenizer(tmp_path / "half")
    for name, tensor in network.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor.half().float()), name
    save_tokenizer(tmp_path / "again", found, half=True)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (
        tmp_path / "half" / "model.safetensors"
    ).read_bytes()
    with torch.no_grad():
        network.codebook[0, 0] = 1e5
    with pytest.raises(WeightsError, match="codebook holds numbers that float16 does not"):
        save_tokenizer(tmp_path / "again", network, half=True)


def test_one_that_ships_is_loaded_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    (tmp_path / "voice").mkdir()
    save_tokenizer(tmp_path / "voice", Vocoder(VocoderConfig.named("nano")), half=True)
    assert shipped_names() == ("voice",)
    assert load_saved_vocoder("voice").config.channels == 128
    with pytest.raises(ConfigError, match="voice"):
        load_saved_vocoder("other")


def test_another_kind_and_damage_are_refused(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, AudioTokenizer(AUDIO))
    with pytest.raises(ConfigError, match="expected a 'vocoder'"):
        load_saved_vocoder(tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    written["config"]["num_codes"] = 512
    (tmp_path / "config.json").write_text(json.dumps(written))
    with pytest.raises(ChecksumError, match=r"config\.json"):
        load_audio_tokenizer(tmp_path)


def test_the_snippet_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[3] / "docs" / "tokenizers.md"
    (snippet,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    checkpoint, folder = tmp_path / "runs" / "image" / "checkpoint", tmp_path / "out"
    for one in (checkpoint, folder):
        one.mkdir(parents=True)
    save_tokenizer(checkpoint, ImageTokenizer(NANO_IMAGE_TOKENIZER))
    names: dict[str, object] = {"pictures": torch.zeros(1, 96, 96, 3), "folder": folder}
    exec(compile(snippet, str(page), "exec"), names)
    assert isinstance(names["again"], torch.Tensor) and names["again"].shape == (1, 96, 96, 3)
    assert (folder / "model.safetensors").is_file()
