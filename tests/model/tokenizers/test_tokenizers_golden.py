"""The tokenisers, and training on raw targets, equal the reference on golden weights."""

import functools
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from embodio.model.network.network import UnifiedIO2
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, golden_folders, load_network, without, worst

TOLERANCE = 1e-4
TARGETS = ("text", "image", "audio")


@functools.lru_cache
def cached_network(folder: Path) -> GoldenNetwork:
    return load_network(folder, tokenizers=True)


@pytest.fixture(params=golden_folders(), ids=lambda folder: folder.name)
def golden(request: pytest.FixtureRequest) -> GoldenNetwork:
    return cached_network(request.param)


def test_image_latents_codes_and_pictures(golden: GoldenNetwork) -> None:
    tokenizer, expected = golden.model.tokenizers["image"], golden.outputs
    images = golden.batch["targets/image/image"]
    with torch.no_grad():
        latents = tokenizer.latents(images)
    assert worst(latents.permute(0, 3, 1, 2), expected["vqgan/pre_quant"]) < TOLERANCE
    codes = tokenizer.encode(images)
    assert torch.equal(codes, expected["vqgan/ids"].long())
    assert worst(tokenizer.decode(codes).permute(0, 3, 1, 2), expected["vqgan/decoded"]) < TOLERANCE


def test_audio_latents_codes_and_spectrograms(golden: GoldenNetwork) -> None:
    tokenizer, expected = golden.model.tokenizers["audio"], golden.outputs
    spectrograms = golden.batch["targets/audio/audio"]
    with torch.no_grad():
        latents = tokenizer.latents(spectrograms)
    assert worst(latents.flatten(1, 2), expected["vitvqgan/pre_quant"]) < TOLERANCE
    codes = tokenizer.encode(spectrograms)
    mel_first = expected["vitvqgan/ids"].long().unflatten(1, tokenizer.config.grid)
    assert torch.equal(codes, mel_first.transpose(1, 2).flatten(1))
    # The reference's layout is [B, 1, mel, time].
    assert worst(tokenizer.decode(codes).permute(0, 3, 2, 1), expected["vitvqgan/decoded"]) < TOLERANCE


def test_raw_targets_give_the_reference_ids_and_logits(golden: GoldenNetwork) -> None:
    with torch.no_grad():
        outputs = golden.model(golden.batch)
    for name in TARGETS:
        mask = golden.outputs[f"all/target/{name}/mask"]
        assert torch.equal(outputs[name].targets, golden.outputs[f"all/target/{name}/target_tokens"].long())
        assert worst(outputs[name].logits, golden.outputs[f"all/logits/{name}"], mask) < TOLERANCE


def test_losses_from_raw_targets_and_no_gradient_in_the_tokenisers(golden: GoldenNetwork) -> None:
    model = golden.model
    loss = model.loss(model(golden.batch), z_loss=0.0)
    for name in TARGETS:
        assert abs(loss.modalities[name].cross_entropy.item() - golden.gradients[f"loss/{name}"].item()) < TOLERANCE
    loss.total.backward()
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in model.tokenizers.parameters())
    assert model.image_code_embedding.weight.grad is not None
    model.zero_grad(set_to_none=True)


def test_raw_targets_equal_precomputed_ids(golden: GoldenNetwork) -> None:
    raw = golden.batch
    ids = {
        f"targets/{name}/tokens": golden.outputs[f"all/target/{name}/target_tokens"].long()
        for name in ("image", "audio")
    }
    with torch.no_grad():
        from_raw = golden.model(raw)
        from_ids = golden.model(without(raw, "targets/image/image", "targets/audio/audio") | ids)
    for name in TARGETS:
        assert torch.equal(from_raw[name].logits, from_ids[name].logits)


def full_grid_folders() -> list[Path]:
    """Folders whose second network comes with its tokenisers."""
    found = []
    for folder in golden_folders():
        path = folder / "tiny_gen_state.safetensors"
        if path.exists():
            with safe_open(path, "pt") as tensors:
                if any(".vqgan." in name for name in tensors.keys()):  # noqa: SIM118 - not a dictionary
                    found.append(folder)
    return found


@pytest.mark.parametrize("folder", full_grid_folders(), ids=lambda folder: folder.name)
def test_generated_ids_become_the_reference_picture_and_spectrogram(folder: Path) -> None:
    golden = load_network(folder, "tiny_gen", tokenizers=True)
    # The reference drew ids that stand for no code, and moved them to the nearest one.
    image = golden.model.render(golden.outputs["generate/image/tokens"][:, 1:], "image", clip=True)
    assert worst(image, golden.outputs["generate/image/image"]) < TOLERANCE
    audio = golden.model.render(golden.outputs["generate/audio/tokens"][:, 1:], "audio", clip=True)
    assert worst(audio.transpose(1, 2), golden.outputs["generate/audio/audio"]) < TOLERANCE


def test_the_network_itself_does_not_depend_on_its_tokenisers() -> None:
    plain, full = load_network(OWN_FOLDER).model, cached_network(OWN_FOLDER).model
    own = {name: tensor for name, tensor in full.state_dict().items() if not name.startswith("tokenizers.")}
    assert list(own) == list(plain.state_dict())
    assert isinstance(plain, UnifiedIO2)
    assert len(plain.tokenizers) == 0
