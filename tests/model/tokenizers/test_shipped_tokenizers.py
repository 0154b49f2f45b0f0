"""The tokenisers that ship: they fit the size that uses them, and give back what they are shown."""

from __future__ import annotations

import numpy as np
import torch

from embodio.model.config.sizes import NANO_AUDIO_TOKENIZER, NANO_IMAGE_TOKENIZER
from embodio.model.tokenizers.files import SHIPPED, load_audio_tokenizer, load_image_tokenizer, shipped_names


def test_they_are_small_and_fit_the_named_size() -> None:
    assert shipped_names() == ("audio-nano", "image-nano")
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*")) < 25e6
    assert load_image_tokenizer("image-nano").config == NANO_IMAGE_TOKENIZER
    assert load_audio_tokenizer("audio-nano").config == NANO_AUDIO_TOKENIZER


def test_a_drawn_scene_keeps_its_shapes_and_colours() -> None:
    scene = np.full((96, 96, 3), (120, 110, 100), np.uint8)
    scene[40:] = (200, 190, 180)
    scene[52:70, 20:38], scene[60:76, 60:76] = (200, 30, 30), (30, 60, 200)
    tokenizer = load_image_tokenizer("image-nano")
    shown = torch.from_numpy(scene)[None].float() / 127.5 - 1.0
    again = tokenizer.decode(tokenizer.encode(shown)).clamp(-1, 1)
    error = (again - shown).square().mean()
    assert 10.0 * torch.log10(4.0 / error) > 22.0
    red, blue = again[0, 56:66, 24:34].mean(dim=(0, 1)), again[0, 64:72, 64:72].mean(dim=(0, 1))
    assert red[0] > 0.2 > -0.3 > red[2] and blue[2] > 0.2 > -0.3 > blue[0]


def test_a_spectrogram_keeps_its_loud_and_quiet_parts() -> None:
    tokenizer = load_audio_tokenizer("audio-nano")
    bands, frames = tokenizer.config.spectrogram_size
    shown = torch.full((1, frames, bands, 1), -1.2)
    shown[:, 64:128, 16:48] = 1.0
    again = tokenizer.decode(tokenizer.encode(shown))
    assert (again - shown).abs().mean() < 0.35
    assert again[:, 70:122, 20:44].mean() > again[:, 150:].mean() + 1.2
