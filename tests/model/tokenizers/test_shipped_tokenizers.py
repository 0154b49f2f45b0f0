"""The tokenisers that ship: they fit the size that uses them, and give back what they are shown."""

from __future__ import annotations

import numpy as np
import torch

from embodio.datasets.metrics.log_spectral_distance import log_spectral_distance
from embodio.datasets.tasks.parts.spoken import SHIPPED as SHIPPED_INSTRUCTIONS
from embodio.datasets.tasks.parts.spoken import SpokenInstructions
from embodio.model.config.sizes import NANO_AUDIO_TOKENIZER, NANO_IMAGE_TOKENIZER
from embodio.model.processing.audio import fit_length
from embodio.model.processing.audio_features import segment_samples
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.files import (
    SHIPPED,
    fingerprint,
    load_audio_tokenizer,
    load_image_tokenizer,
    load_saved_vocoder,
    shipped_names,
    shipped_vocoder,
)
from embodio.train.tokenizers.sounds import decoded_log_mel, silent_log_mel, spectrogram_batch


def test_they_are_small_and_fit_the_named_size() -> None:
    assert shipped_names() == ("audio-nano", "image-nano", "vocoder-nano")
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


def test_the_vocoder_speaks_what_the_tokeniser_writes_down() -> None:
    tokenizer, vocoder = load_audio_tokenizer("audio-nano"), load_saved_vocoder("vocoder-nano")
    bands, frames = tokenizer.config.spectrogram_size
    said = SpokenInstructions(SHIPPED_INSTRUCTIONS / "lift-aloud").said("lift the red cube", 0, None)
    wave = fit_length(said, segment_samples(frames))
    decoded = decoded_log_mel(tokenizer, spectrogram_batch([wave], bands)["spectrograms"])
    sound = vocoder(decoded)[0].numpy()
    again = torch.from_numpy(silent_log_mel(sound, bands))[None, :frames]
    assert len(sound) == frames * vocoder.config.hop and np.abs(sound).max() <= 1
    assert float(log_spectral_distance(decoded, again)) < 4.0
    loud, heard = (np.abs(part[: 64 * 1000]).reshape(64, -1).mean(axis=1) for part in (wave, sound))
    assert np.corrcoef(loud, heard)[0, 1] > 0.8


def test_any_network_with_the_tokeniser_speaks_with_its_vocoder() -> None:
    tokenizer = load_audio_tokenizer("audio-nano")
    found = shipped_vocoder(tokenizer)
    assert found is not None and fingerprint(found) == fingerprint(load_saved_vocoder("vocoder-nano"))
    assert shipped_vocoder(load_image_tokenizer("image-nano")) is None
    other = AudioTokenizer(tokenizer.config)
    assert shipped_vocoder(other) is None
