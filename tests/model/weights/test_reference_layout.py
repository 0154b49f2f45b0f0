"""The released layout: every name and shape of size large, parameter counts of all sizes, strict mapping both ways."""

import json

import pytest
import torch

from embodio.model import ModelConfig, UnifiedIO2, WeightsError
from embodio.model.weights.reference_config import from_reference_config, to_reference_config
from embodio.model.weights.reference_layout import from_reference_state, reference_names, to_reference_state
from embodio.model.weights.tokenizer_layout import TOKENIZER_PREFIXES
from tests.support.model.golden_network import OWN_FOLDER, load_network

IMAGE_VQGAN, AUDIO_VQGAN = 67_717_295, 50_768_416
SIZES = {
    "large": (1_080_595_919, 308_334_592, 409_025_536),
    "xl": (3_175_415_247, 1_157_734_400, 1_560_442_880),
    "xxl": (6_864_176_143, 2_718_065_664, 3_624_115_200),
}
TENSORS = {"large": 1625, "xl": 1625, "xxl": 1621}


def meta_model(name: str, tokenizers: bool = False) -> UnifiedIO2:
    with torch.device("meta"):
        return UnifiedIO2(ModelConfig.named(name), tokenizers=tokenizers)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def released_keys() -> dict[str, list[int]]:
    lines = (OWN_FOLDER / "keys_large.txt").read_text(encoding="utf-8").splitlines()
    return {name: json.loads(shape) for name, shape in (line.split("\t") for line in lines)}


def test_large_has_the_released_names_and_shapes() -> None:
    model = meta_model("large")
    found = {name: list(tensor.shape) for name, tensor in to_reference_state(model.config, model.state_dict()).items()}
    expected = {name: shape for name, shape in released_keys().items() if not name.startswith(TOKENIZER_PREFIXES)}
    assert found == expected


def test_large_strictly_reads_the_released_names() -> None:
    model = meta_model("large")
    released = {name: torch.empty(shape, device="meta") for name, shape in released_keys().items()}
    read = from_reference_state(model.config, released)
    assert {name: tensor.shape for name, tensor in read.state.items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }
    assert len(to_reference_state(model.config, read.state)) + len(read.tokenizers) == len(released) == 1625


def test_large_with_tokenisers_has_every_released_name_and_shape() -> None:
    model = meta_model("large", tokenizers=True)
    found = {name: list(tensor.shape) for name, tensor in to_reference_state(model.config, model.state_dict()).items()}
    assert found == released_keys()
    assert set(reference_names(model.config)) == set(found)
    released = {name: torch.empty(shape, device="meta") for name, shape in found.items()}
    read = from_reference_state(model.config, released, tokenizers=True)
    assert not read.tokenizers
    assert {name: tensor.shape for name, tensor in read.state.items()} == {
        name: tensor.shape for name, tensor in model.state_dict().items()
    }


@pytest.mark.parametrize("name", SIZES)
def test_parameter_counts_with_tokenisers(name: str) -> None:
    model = meta_model(name, tokenizers=True)
    assert count(model) == SIZES[name][0]
    assert count(model.tokenizers["image"]) == IMAGE_VQGAN
    assert count(model.tokenizers["audio"]) == AUDIO_VQGAN
    assert len(to_reference_state(model.config, model.state_dict())) == TENSORS[name]


@pytest.mark.parametrize("name", SIZES)
def test_parameter_counts(name: str) -> None:
    model = meta_model(name)
    total, encoder, decoder = SIZES[name]
    assert count(model) == total - IMAGE_VQGAN - AUDIO_VQGAN
    assert count(model.encoder) == encoder
    assert count(model.decoder) == decoder
    assert count(model.towers["image"]) == 78_710_016
    assert count(model.towers["audio"]) == 78_560_256
    tokenizers = sum(name.startswith(TOKENIZER_PREFIXES) for name in released_keys())
    assert len(to_reference_state(model.config, model.state_dict())) == TENSORS[name] - tokenizers


def test_large_is_the_released_configuration() -> None:
    released = json.loads((OWN_FOLDER / "large_config.json").read_text(encoding="utf-8"))
    assert from_reference_config(released) == ModelConfig.named("large")
    assert to_reference_config(ModelConfig.named("large")) == released


def test_state_survives_the_way_there_and_back() -> None:
    golden = load_network(OWN_FOLDER)
    state = golden.model.state_dict()
    back = from_reference_state(golden.model.config, to_reference_state(golden.model.config, state))
    assert not back.tokenizers
    assert state.keys() == back.state.keys()
    assert all(torch.equal(state[name], back.state[name]) for name in state)


def test_state_with_tokenisers_survives_the_way_there_and_back() -> None:
    golden = load_network(OWN_FOLDER, tokenizers=True)
    state = golden.model.state_dict()
    reference = to_reference_state(golden.model.config, state)
    back = from_reference_state(golden.model.config, reference, tokenizers=True).state
    assert state.keys() == back.keys()
    assert all(torch.equal(state[name], back[name]) for name in state)
    reference.pop("target_embedders.audio.vqgan.encoder.encoder_norm.bias")
    with pytest.raises(WeightsError, match=r"missing \['target_embedders.audio.vqgan.encoder.encoder_norm.bias'\]"):
        from_reference_state(golden.model.config, reference, tokenizers=True)


def test_missing_and_unexpected_names_are_listed() -> None:
    golden = load_network(OWN_FOLDER)
    state = to_reference_state(golden.model.config, golden.model.state_dict())
    state["encoder.extra.weight"] = state.pop("encoder.encoder_norm.scale")
    with pytest.raises(WeightsError, match=r"encoder\.encoder_norm\.scale.*encoder\.extra\.weight"):
        from_reference_state(golden.model.config, state)
    with pytest.raises(WeightsError, match="no place"):
        to_reference_state(golden.model.config, {"encoder.wrong": torch.zeros(1)})


def test_history_alone_keeps_the_tower_of_its_own() -> None:
    config = ModelConfig.named("nano").replace(input_modalities=("text", "image_history"))
    names = to_reference_state(config, UnifiedIO2(config).state_dict())
    prefix = "input_embedders.image_history.vit_image_encoder.vision_transformer."
    assert f"{prefix}class_embedding" in names
