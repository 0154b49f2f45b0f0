"""Reports that hold pictures and sounds of held-out items."""

from __future__ import annotations

import io
import wave
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embodio.datasets.errors import UnusableRecord
from embodio.model.processing.audio_features import log_mel, mel_power
from embodio.model.tokenizers.audio_tokenizer import AudioTokenizer
from embodio.model.tokenizers.image_tokenizer import ImageTokenizer
from embodio.model.tokenizers.vocoder import Vocoder, VocoderConfig
from embodio.train.tokenizers.media import CorpusMedia
from embodio.train.tokenizers.report import audio_findings, image_findings, vocoder_findings, wav_file
from embodio.train.tokenizers.vocoder import MelSpectrogram
from tests.support.train.media_corpus import SMALL_AUDIO, SMALL_IMAGE, write_media_corpus
from tests.support.train.other_device import AWAY, OtherDevice, moved_away


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media_corpus(tmp_path_factory.mktemp("corpus"))


def test_the_differentiable_spectrogram_equals_the_one_of_the_processor() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    expected = log_mel(mel_power(sound))[0]
    found = MelSpectrogram(128)(torch.from_numpy(sound)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_media_are_those_of_all_sources_in_order(data: Path) -> None:
    media = CorpusMedia(data, ("drawings", "tones"), "train")
    assert len(media) == 12 and [media.name(number) for number in (0, 2, 6)] == ["a/0", "a/2", "0"]
    assert media.picture(2).shape == (26, 30, 3)
    assert media.sound(7).shape == (9500,) and 0.4 < np.abs(media.sound(7)).max() <= 0.5
    with pytest.raises(UnusableRecord, match="no picture"):
        media.picture(6)
    with pytest.raises(UnusableRecord, match="no sound"):
        media.sound(0)


def test_reports_hold_pictures_and_sounds(data: Path) -> None:
    pictures = CorpusMedia(data, ("drawings",), "validation")
    sounds = CorpusMedia(data, ("tones",), "validation")
    vocoder = Vocoder(VocoderConfig(channels=16))
    findings = (
        image_findings(ImageTokenizer(SMALL_IMAGE), pictures, measured=3, shown=2),
        audio_findings(AudioTokenizer(SMALL_AUDIO), None, sounds, measured=2, shown=1),
        vocoder_findings(vocoder, sounds, measured=2, shown=1),
    )
    for found, media, wanted in zip(
        findings, ("image/png", "audio/wav", "audio/wav"), ("PSNR", "log", "log"), strict=True
    ):
        page = found.page().decode()
        assert media in page and any(wanted in name for name in found.figures)
        assert "http" not in page
    assert [len(found.items) for found in findings] == [2, 1, 1]


def test_reports_are_those_of_the_cpu_for_networks_on_another_device(data: Path) -> None:
    """A device of its own would refuse tensors of the CPU, and arrays of what it computes."""
    pictures = CorpusMedia(data, ("drawings",), "validation")
    sounds = CorpusMedia(data, ("tones",), "validation")
    vocoder = Vocoder(VocoderConfig(channels=16, num_mels=32))
    makers: list[tuple[Any, Any]] = [
        (ImageTokenizer(SMALL_IMAGE), partial(image_findings, media=pictures, measured=2)),
        (AudioTokenizer(SMALL_AUDIO), partial(audio_findings, vocoder=vocoder, media=sounds, measured=1)),
        (Vocoder(VocoderConfig(channels=16)), partial(vocoder_findings, media=sounds, measured=1)),
    ]
    for network, find in makers:
        expected = find(network)
        with OtherDevice():
            assert find(moved_away(network)) == expected


def test_the_other_device_of_tests_refuses_what_a_gpu_refuses() -> None:
    with OtherDevice():
        away = torch.ones(2, device=AWAY)
        assert away.device == AWAY and (away + 1).device == AWAY and (away * torch.tensor(2.0)).device == AWAY
        with pytest.raises(RuntimeError, match="same device"):
            away + torch.ones(2)
        with pytest.raises(TypeError, match="numpy"):
            away.numpy()
        assert (away.cpu() + torch.ones(2).to(AWAY).to("cpu")).numpy().tolist() == [2.0, 2.0]


def test_a_wav_file_holds_16_bit_mono_at_16_khz() -> None:
    with wave.open(io.BytesIO(wav_file(np.array([0.0, 2.0, -0.5], np.float32)))) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (16_000, 1, 2)
        assert np.frombuffer(reader.readframes(3), "<i2").tolist() == [0, 32767, -16383]
