"""The tokenisers of full image and spectrogram size equal the reference, on weights that are given by a formula."""

import functools
import json
from typing import Any

import pytest
import torch
from torch import Tensor

from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.config.parts import AudioTokenizerConfig, ImageTokenizerConfig
from embodio.model.tokenizers.tokenizer_layers import sinusoid_table
from embodio.model.weights.reference_layout import from_reference_state, to_reference_state
from embodio.model.weights.weights import load_state
from tests.support.model.formula_networks import assert_summary, formula_batch, formula_weight, small_config, wave
from tests.support.model.golden_network import OWN_FOLDER

VARIANT = "qk_norm_resampler"
# Codes whose nearest neighbours are equally far, up to rounding, may fall either way.
FLIPS = {"image": 2, "audio": 1}


def config() -> ModelConfig:
    return small_config("qk_norm").replace(
        image_tokenizer=ImageTokenizerConfig(channels=32, num_res_blocks=1, num_codes=64),
        audio_tokenizer=AudioTokenizerConfig(
            num_codes=64,
            code_dim=8,
            encoder_dim=64,
            encoder_layers=2,
            encoder_mlp_dim=96,
            encoder_heads=4,
            encoder_head_dim=16,
            decoder_dim=64,
            decoder_layers=2,
            decoder_mlp_dim=96,
            decoder_heads=4,
            decoder_head_dim=16,
        ),
    )


@functools.lru_cache
def network() -> tuple[UnifiedIO2, dict[str, Any]]:
    model = UnifiedIO2(config(), tokenizers=True).eval()
    reference = to_reference_state(model.config, model.state_dict())
    state = {name: formula_weight(name, tuple(tensor.shape)) for name, tensor in reference.items()}
    load_state(model, from_reference_state(model.config, state, tokenizers=True).state)
    return model, json.loads((OWN_FOLDER / "uio2-golden.json").read_text(encoding="utf-8"))[VARIANT]


def raw_targets() -> dict[str, Tensor]:
    return {
        "targets/image/image": wave((2, 256, 256, 3), 0.0137),
        "targets/audio/audio": wave((2, 256, 128, 1), 0.0213),
    }


def test_image_latents_codes_and_pictures() -> None:
    model, expected = network()
    tokenizer = model.tokenizers["image"]
    images = raw_targets()["targets/image/image"]
    with torch.no_grad():
        assert_summary(tokenizer.latents(images).permute(0, 3, 1, 2), expected["image_vq_latent"])
    codes = tokenizer.encode(images)
    assert codes[0, :24].tolist() == expected["image_codes"]["first"]
    assert abs(int(codes.sum()) - expected["image_codes"]["sum"]) <= FLIPS["image"] * 63
    assert_summary(tokenizer.decode(codes).permute(0, 3, 1, 2), expected["image_vq_decode"])


def test_audio_latents_codes_and_spectrograms() -> None:
    model, expected = network()
    tokenizer = model.tokenizers["audio"]
    spectrograms = raw_targets()["targets/audio/audio"]
    with torch.no_grad():
        assert_summary(tokenizer.latents(spectrograms).flatten(1, 2), expected["audio_vq_latent"])
    codes = tokenizer.encode(spectrograms)
    mel_first = codes.unflatten(1, (32, 16)).transpose(1, 2).flatten(1)
    assert mel_first[0, :24].tolist() == expected["audio_codes_raw"]["first"]
    assert abs(int(codes.sum()) - expected["audio_codes_raw"]["sum"]) <= FLIPS["audio"] * 63
    assert_summary(tokenizer.decode(codes).permute(0, 3, 2, 1), expected["audio_vq_decode"])


def test_targets_logits_and_loss_from_raw_audio() -> None:
    model, expected = network()
    batch = {name: value for name, value in formula_batch().items() if name.startswith("inputs/")} | raw_targets()
    with torch.no_grad():
        outputs = model(batch)
        losses = model.loss(outputs).modalities
    for name in ("image", "audio"):
        ids = outputs[name].targets
        assert ids[0, :24].tolist() == expected[f"targets.{name}"]["first"]
        assert abs(int(ids.sum()) - expected[f"targets.{name}"]["sum"]) <= FLIPS[name] * 63
        assert outputs[name].logits.flatten()[:6].tolist() == pytest.approx(
            expected[f"logits.{name}"]["first"], abs=1e-4
        )
    # The file's image logits include rows of padding, which mean nothing; its audio logits have none.
    assert_summary(outputs["audio"].logits, expected["logits.audio"])
    assert losses["audio"].cross_entropy.item() == pytest.approx(expected["loss.audio"]["ce"], abs=1e-4)
    assert losses["audio"].z_loss.item() == pytest.approx(expected["loss.audio"]["z"], rel=1e-4)
    assert int(losses["audio"].weight) == expected["loss.audio"]["n"]


def test_sinusoid_table() -> None:
    table = sinusoid_table((16, 32), 512, torch.device("cpu"))
    assert table.shape == (512, 512)
    assert table[1, :3].tolist() == pytest.approx([0.841471, 0.801962, 0.761720], abs=1e-6)
    assert table[1, 128:130].tolist() == pytest.approx([0.540302, 0.597375], abs=1e-6)
    assert table[1, 256:259].tolist() == [0, 0, 0]
    assert table[32, 256:259].tolist() == pytest.approx([0.841471, 0.801962, 0.761720], abs=1e-6)
