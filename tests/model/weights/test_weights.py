"""Weights survive the disk, are read strictly, and start from the documented distributions."""

import json
from pathlib import Path

import pytest
import torch

from embodio.model import ConfigError, ModelConfig, UnifiedIO2, WeightsError, load, load_weights, save_weights
from embodio.model.weights.reference_config import from_reference_config
from embodio.model.weights.weights import load_reference_weights, load_state
from tests.support.model.golden_network import OWN_FOLDER


@pytest.fixture(scope="module")
def model() -> UnifiedIO2:
    torch.manual_seed(0)
    return UnifiedIO2(ModelConfig.named("nano", vocab_size=256))


def test_save_and_load(model: UnifiedIO2, tmp_path: Path) -> None:
    save_weights(model, tmp_path / "new" / "folder")
    loaded = load_weights(tmp_path / "new" / "folder")
    assert loaded.config == model.config
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {
        "SHA256SUMS",
        "config.json",
        "model.safetensors",
    }


@pytest.mark.parametrize("frozen", [True, False])
def test_loaded_network_trains_what_the_saved_one_did(frozen: bool, tmp_path: Path) -> None:
    saved = UnifiedIO2(ModelConfig.named("nano", vocab_size=128).replace(freeze_vit=frozen))
    save_weights(saved, tmp_path)
    loaded = load_weights(tmp_path)
    assert {name: value.requires_grad for name, value in loaded.named_parameters()} == {
        name: value.requires_grad for name, value in saved.named_parameters()
    }
    batch = {"inputs/text/tokens": torch.ones(1, 3, dtype=torch.int64), "targets/text/targets": torch.ones(1, 2).long()}
    expected = saved.eval()(batch)["text"].logits
    assert torch.equal(loaded(batch)["text"].logits, expected)
    loaded.loss(loaded(batch)).total.backward()


def test_misfits_are_listed(model: UnifiedIO2) -> None:
    state = dict(model.state_dict())
    state["decoder.norm.bias"] = state.pop("decoder.norm.scale")
    state["encoder.norm.scale"] = torch.ones(3)
    with pytest.raises(WeightsError) as caught:
        load_state(model, state)
    for part in (
        "missing: ['decoder.norm.scale']",
        "unexpected: ['decoder.norm.bias']",
        "encoder.norm.scale has shape (3,)",
    ):
        assert part in str(caught.value)


def test_absent_and_damaged_files_are_named(model: UnifiedIO2, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json does not exist"):
        load_weights(tmp_path)
    save_weights(model, tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="damaged"):
        load_weights(tmp_path)
    weights.unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors does not exist"):
        load_weights(tmp_path)
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    (tmp_path / "SHA256SUMS").unlink()
    with pytest.raises(ConfigError, match="is not JSON"):
        load_weights(tmp_path)


def test_tokeniser_tensors_are_set_aside() -> None:
    config = from_reference_config(json.loads((OWN_FOLDER / "tiny_config.json").read_text(encoding="utf-8")))
    model = UnifiedIO2(config)
    tokenizers = load_reference_weights(model, OWN_FOLDER / "tiny_state.safetensors")
    assert len(tokenizers) == 469 - 227
    assert all(".vqgan." in name for name in tokenizers)


def test_initial_weights(model: UnifiedIO2) -> None:
    state = model.state_dict()
    expected = {
        "text_embedding.weight": 1.0,
        "encoder.layers.0.attention.query_key_value.weight": 128**-0.5,
        "encoder.layers.0.mlp.gate_up.weight": 128**-0.5,
        "encoder.layers.0.mlp.down.weight": 352**-0.5,
        "inputs.image.projection.weight": 256**-0.5,
        "towers.image.positions": 128**-0.5,
        "towers.image.blocks.0.query_key_value.weight": (2 / (128 + 128)) ** 0.5,
        "towers.image.blocks.0.up.weight": (2 / (128 + 512)) ** 0.5,
    }
    for name, std in expected.items():
        assert state[name].std().item() == pytest.approx(std, rel=0.05), name
    assert state["inputs.text.modality_vector"].std().item() == pytest.approx(0.02, rel=0.3)
    assert (state["encoder.layers.0.attention_norm.scale"] == 1).all()


def test_frozen_towers_get_no_gradient_and_trainable_ones_do() -> None:
    batch = {
        "inputs/image/input": torch.randn(1, 72, 768),
        "inputs/image_history/input": torch.randn(1, 1, 72, 768),
        "targets/text/targets": torch.ones(1, 2, dtype=torch.int64),
    }
    for frozen in (True, False):
        model = UnifiedIO2(ModelConfig.named("nano", vocab_size=128).replace(freeze_vit=frozen))
        model.loss(model(batch)).total.backward()
        # The last block matters for both inputs; every parameter of the tower is used.
        assert all((parameter.grad is None) == frozen for parameter in model.towers.parameters())
        assert all(parameter.requires_grad != frozen for parameter in model.towers.parameters())
        assert model.inputs["image"].projection.weight.grad is not None


def test_history_alone_trains_the_tower() -> None:
    model = UnifiedIO2(ModelConfig.named("nano", vocab_size=128))
    batch = {
        "inputs/image_history/input": torch.randn(1, 1, 72, 768),
        "targets/text/targets": torch.ones(1, 2, dtype=torch.int64),
    }
    model.loss(model(batch)).total.backward()
    assert all(parameter.grad is not None for parameter in model.towers.parameters())


def test_half_precision_takes_half_the_bytes_and_loads_as_the_rounded_numbers(tmp_path: Path) -> None:
    network = UnifiedIO2(ModelConfig.named("nano", vocab_size=256))
    save_weights(network, tmp_path / "whole")
    save_weights(network, tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    for read in (load_weights, load):
        found = read(tmp_path / "half").state_dict()
        for name, tensor in network.state_dict().items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor.half().float() if tensor.dtype == torch.float32 else tensor)
    with torch.no_grad():
        next(network.parameters()).fill_(1e6)
    with pytest.raises(WeightsError, match="holds numbers that float16 does not; save it with half=False"):
        save_weights(network, tmp_path / "half", half=True)
