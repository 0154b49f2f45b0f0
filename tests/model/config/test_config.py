"""Configurations: named sizes, strict reading and writing, the reference's format."""

import json

import pytest

from embodio.model import ConfigError, ModelConfig
from embodio.model.config.parts import TransformerConfig
from embodio.model.weights.reference_config import from_reference_config, to_reference_config
from tests.support.model.golden_network import OWN_FOLDER


@pytest.mark.parametrize("name", ["nano", "nano_generalist", "large", "xl", "xxl"])
def test_named_sizes_survive_json(name: str) -> None:
    config = ModelConfig.named(name)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_size_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'large'"):
        ModelConfig.named("lage")


def test_vocabulary_size_can_be_chosen() -> None:
    assert ModelConfig.named("nano", vocab_size=2048).transformer.vocab_size == 2048


def test_unknown_field_names_the_nearest() -> None:
    data = ModelConfig.named("nano").to_dict()
    data["transformer"]["emb_dims"] = 128
    with pytest.raises(ConfigError, match=r"config\.transformer has no field 'emb_dims'; did you mean 'emb_dim'"):
        ModelConfig.from_dict(data)


def test_missing_field_is_named() -> None:
    data = ModelConfig.named("nano").to_dict()
    del data["freeze_vit"]
    with pytest.raises(ConfigError, match="freeze_vit"):
        ModelConfig.from_dict(data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("transformer", "emb_dim"), "128"),
        (("transformer", "num_heads"), 0),
        (("transformer", "num_heads"), True),
        (("freeze_vit",), 1),
        (("image_size",), [96]),
        (("image_size",), [96, 100]),
        (("resampler_gelu",), "relu"),
        (("image_history", "attention"), "softmax"),
        (("input_modalities",), ["text", "smell"]),
        (("input_modalities",), ["text", "text"]),
        (("target_modalities",), []),
        (("image_tower",), None),
        (("image_tower", "num_layers"), 1),
        (("transformer", "dropout_rate"), 1.0),
    ],
)
def test_wrong_values_are_refused(path: tuple[str, ...], value: object) -> None:
    data = ModelConfig.named("nano").to_dict()
    inner = data
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    with pytest.raises(ConfigError):
        ModelConfig.from_dict(data)


def test_width_must_be_heads_times_head_dim() -> None:
    with pytest.raises(ConfigError, match="num_heads \\* head_dim"):
        TransformerConfig(
            vocab_size=128, emb_dim=100, num_heads=4, head_dim=32, num_encoder_layers=1, num_decoder_layers=1, mlp_dim=8
        )


@pytest.mark.parametrize("name", ["tiny_config.json", "tiny_gen_config.json", "large_config.json"])
def test_reference_format_survives(name: str) -> None:
    data = json.loads((OWN_FOLDER / name).read_text(encoding="utf-8"))
    config = from_reference_config(data)
    assert to_reference_config(config) == data
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_reference_names_what_is_missing_or_not_supported() -> None:
    data = json.loads((OWN_FOLDER / "tiny_config.json").read_text(encoding="utf-8"))
    data["t5_config"]["qk_norm"] = False
    with pytest.raises(ConfigError, match=r"t5_config\.qk_norm is False; only True"):
        from_reference_config(data)
    data["t5_config"]["qk_norm"] = True
    del data["t5_config"]["mlp_dim"]
    with pytest.raises(ConfigError, match="t5_config lacks 'mlp_dim'"):
        from_reference_config(data)


def test_nano_has_no_reference_format() -> None:
    with pytest.raises(ConfigError, match="audio_tower"):
        to_reference_config(ModelConfig.named("nano"))


def test_coordinate_scale_of_released_sizes() -> None:
    assert ModelConfig.named("large").lengths.input_coordinate_scale == pytest.approx(4 / 3)
