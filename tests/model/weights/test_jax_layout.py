"""JAX parameter trees carry exactly the reference's tensors: names, shapes and values, there and back."""

import io
import json
import pathlib
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from embodio.model import ModelConfig, WeightsError
from embodio.model.weights.jax_layout import from_jax, jax_name, read_jax_npz, to_jax
from embodio.model.weights.pretrained import load_jax
from embodio.model.weights.reference_config import from_reference_config
from embodio.model.weights.reference_layout import to_reference_state
from embodio.model.weights.tokenizer_layout import TOKENIZER_PREFIXES
from tests.support.model.golden_network import OWN_FOLDER

TOWER = "image_encoder.vision_transformer"
JAX_TOWER = f"{TOWER}.Transformer_0.ResidualAttentionBlock_2"
NAMES = {
    "text_token_embedder.weight": "text_token_embedder.embedding",
    "input_embedders.text.modality_embedding": "input_text_encoder.modality_embedding",
    "input_embedders.audio.projection.weight": "input_audio_encoder.projection.kernel",
    f"input_embedders.image.{TOWER}.class_embedding": f"input_image_encoder.{TOWER}.class_embedding",
    f"input_embedders.image.{TOWER}.positional_embedding": f"input_image_encoder.{TOWER}.positional_embedding",
    f"input_embedders.image.{TOWER}.embedding.weight": f"input_image_encoder.{TOWER}.embedding.kernel",
    f"input_embedders.image.{TOWER}.pre_ln.weight": f"input_image_encoder.{TOWER}.pre_ln.scale",
    f"input_embedders.image.{TOWER}.transformer.resblocks.2.attn.key_in_proj_weight": (
        f"input_image_encoder.{JAX_TOWER}.MultiHeadDotProductAttention_0.key.kernel"
    ),
    f"input_embedders.audio.{TOWER}.transformer.resblocks.2.attn.key_in_proj_bias": (
        f"input_audio_encoder.{JAX_TOWER}.MultiHeadDotProductAttention_0.key.bias"
    ),
    f"input_embedders.image.{TOWER}.transformer.resblocks.2.attn.out_proj.weight": (
        f"input_image_encoder.{JAX_TOWER}.MultiHeadDotProductAttention_0.out.kernel"
    ),
    f"input_embedders.image.{TOWER}.transformer.resblocks.2.mlp.fc1.weight": (
        f"input_image_encoder.{JAX_TOWER}.MLP_0.c_fc.kernel"
    ),
    f"input_embedders.image.{TOWER}.transformer.resblocks.2.mlp.fc2.bias": (
        f"input_image_encoder.{JAX_TOWER}.MLP_0.c_proj.bias"
    ),
    f"input_embedders.audio.{TOWER}.transformer.resblocks.2.mlp.fc2.weight": (
        f"input_audio_encoder.{JAX_TOWER}.MLP_0.fc2.kernel"
    ),
    f"input_embedders.image.{TOWER}.transformer.resblocks.2.ln_1.weight": f"input_image_encoder.{JAX_TOWER}.ln_1.scale",
    f"input_embedders.audio.{TOWER}.transformer.resblocks.2.ln_1.weight": (
        f"input_audio_encoder.{JAX_TOWER}.norm1.scale"
    ),
    f"input_embedders.audio.{TOWER}.transformer.resblocks.2.ln_2.bias": f"input_audio_encoder.{JAX_TOWER}.norm2.bias",
    f"input_embedders.audio.{TOWER}.positional_embedding": f"input_audio_encoder.{TOWER}.pos_embed",
    "input_embedders.image_history.resampler.perceiver.latents": (
        "input_encoders_image_history.resampler.PerceiverResampler_0.resampler_latents"
    ),
    "input_embedders.audio_history.resampler.perceiver.layers_1.pre_xattention_norm.scale": (
        "input_encoders_audio_history.resampler.PerceiverResampler_0.layers_1.pre_xattention_layer_norm.scale"
    ),
    "input_embedders.audio_history.resampler.perceiver.layers_1.xattention.query_norm.scale": (
        "input_encoders_audio_history.resampler.PerceiverResampler_0.layers_1.xattention.query_norm.scale"
    ),
    "encoder.layers_3.pre_attention_norm.scale": "encoder.layers_3.pre_attention_layer_norm.scale",
    "encoder.layers_3.attention.query_norm.scale": "encoder.layers_3.attention.query_norm.scale",
    "encoder.encoder_norm.scale": "encoder.encoder_norm.scale",
    "decoder.layers_0.pre_self_attention_norm.scale": "decoder.layers_0.pre_self_attention_layer_norm.scale",
    "decoder.layers_0.pre_cross_attention_norm.scale": "decoder.layers_0.pre_cross_attention_layer_norm.scale",
    "decoder.layers_0.encoder_decoder_attention.out.weight": "decoder.layers_0.encoder_decoder_attention.out.kernel",
    "decoder.layers_0.mlp.wi_1.weight": "decoder.layers_0.mlp.wi_1.kernel",
    "target_embedders.text.modality_embedding": "target_encoders_text.modality_embedding",
    "target_embedders.image.vqgan.encoder.down_1_block_0.norm1.weight": (
        "target_encoders_image.discrete_vae.encoder.down_1_block_0.norm1.scale"
    ),
    "target_embedders.image.vqgan.encoder.mid_attn_1.norm.weight": (
        "target_encoders_image.discrete_vae.encoder.mid_attn_1.norm.scale"
    ),
    "target_embedders.image.vqgan.decoder.norm_out.weight": "target_encoders_image.discrete_vae.decoder.norm_out.scale",
    "target_embedders.image.vqgan.decoder.conv_in.weight": "target_encoders_image.discrete_vae.decoder.conv_in.kernel",
    "target_embedders.image.vqgan.quantize.embedding.weight": "target_encoders_image.discrete_vae.quantize.embedding",
    "target_embedders.audio.vqgan.encoder.transformer.encoderblock_1.ln_2.weight": (
        "target_encoders_audio.discrete_vae.encoder.Transformer_0.encoderblock_1.LayerNormWithBias_1.scale"
    ),
    "target_embedders.audio.vqgan.decoder.transformer.encoderblock_1.attn.out.weight": (
        "target_encoders_audio.discrete_vae.decoder.Transformer_0.encoderblock_1.MultiHeadDotProductAttention_0.out.kernel"
    ),
    "target_embedders.audio.vqgan.decoder.transformer.encoderblock_1.mlp.fc2.weight": (
        "target_encoders_audio.discrete_vae.decoder.Transformer_0.encoderblock_1.MlpBlock_0.DenseGeneral_1.kernel"
    ),
    "target_embedders.audio.vqgan.encoder.transformer.encoder_norm.weight": (
        "target_encoders_audio.discrete_vae.encoder.Transformer_0.encoder_norm.scale"
    ),
    "target_embedders.audio.vqgan.encoder.encoder_norm.bias": (
        "target_encoders_audio.discrete_vae.encoder.encoder_norm.bias"
    ),
    "target_embedders.audio.vqgan.decoder.conv_transpose.weight": (
        "target_encoders_audio.discrete_vae.decoder.ConvTranspose_0.kernel"
    ),
}


def tiny() -> tuple[ModelConfig, dict[str, Tensor]]:
    config = from_reference_config(json.loads((OWN_FOLDER / "tiny_config.json").read_text(encoding="utf-8")))
    return config, load_file(OWN_FOLDER / "tiny_state.safetensors")


def nested(flat: dict[str, np.ndarray]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, array in flat.items():
        *path, last = name.split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = array
    return tree


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    assert jax_name(name) == NAMES[name]


def test_every_tensor_there_and_back() -> None:
    config, state = tiny()
    flat = to_jax(state)
    assert len(flat) == len(state)
    assert not any(name.endswith(".weight") or "TOWER" in name for name in flat)
    for tree in (flat, nested(flat), {name.replace(".", "/"): array for name, array in flat.items()}):
        back = from_jax(config, tree | {"optimizer": {"step": np.zeros(1)}})
        assert back.keys() == state.keys()
        assert all(torch.equal(back[name], state[name]) for name in state)
    plain = from_jax(config, flat, tokenizers=False)
    assert plain.keys() == {name for name in state if not name.startswith(TOKENIZER_PREFIXES)}


def test_names_of_size_large_stay_different() -> None:
    lines = (OWN_FOLDER / "keys_large.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("\t")[0] for line in lines]
    assert len({jax_name(name) for name in names}) == len(names) == 1625


def test_layouts_of_arrays() -> None:
    _, state = tiny()
    flat = to_jax(state)
    linear = flat["encoder.layers_0.mlp.wi_0.kernel"]
    x = np.random.default_rng(0).standard_normal((3, linear.shape[0])).astype(np.float32)
    expected = functional.linear(torch.from_numpy(x), state["encoder.layers_0.mlp.wi_0.weight"])
    assert np.allclose(x @ linear, expected.numpy(), atol=1e-5)
    convolution = flat["target_encoders_image.discrete_vae.encoder.conv_in.kernel"]
    assert convolution.shape == (3, 3, 3, 32)
    assert convolution[0, 2, 1, 7] == state["target_embedders.image.vqgan.encoder.conv_in.weight"][7, 1, 0, 2]
    transposed = flat["target_encoders_audio.discrete_vae.decoder.ConvTranspose_0.kernel"]
    assert transposed.shape == (8, 8, 32, 1)
    assert transposed[0, 2, 5, 0] == state["target_embedders.audio.vqgan.decoder.conv_transpose.weight"][5, 0, 7, 5]


def test_misfits_are_listed() -> None:
    config, state = tiny()
    flat = to_jax(state)
    flat["encoder.extra.kernel"] = flat.pop("encoder.encoder_norm.scale")
    with pytest.raises(WeightsError, match=r"missing \['encoder.encoder_norm.scale'\], unexpected \['encoder.extra"):
        from_jax(config, flat)
    flat = to_jax(state)
    flat["decoder.decoder_norm.scale"] = flat["decoder.decoder_norm.scale"].view("V4")
    with pytest.raises(WeightsError, match=r"float32: \['decoder.decoder_norm.scale'\]"):
        from_jax(config, flat)


def test_npz_files(tmp_path: Path) -> None:
    config, state = tiny()
    np.savez(tmp_path / "weights.npz", **to_jax(state))
    back = from_jax(config, read_jax_npz(tmp_path / "weights.npz"))
    assert all(torch.equal(back[name], state[name]) for name in state)
    model = load_jax(tmp_path / "weights.npz", config)
    found = to_reference_state(config, model.state_dict())
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert not model.training
    assert len(load_jax(tmp_path / "weights.npz", config, tokenizers=False).tokenizers) == 0
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(WeightsError, match="damaged"):
        read_jax_npz(tmp_path / "damaged.npz")
    with pytest.raises(WeightsError, match="does not exist"):
        read_jax_npz(tmp_path / "none.npz")


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_files_of_nested_dictionaries(tmp_path: Path, wrapped: bool, save: Callable[..., None]) -> None:
    """The form that the reference's own converter reads."""
    config, state = tiny()
    tree = nested(to_jax(state))
    save(tmp_path / "weights.npz", **({"target": tree, "state": {"step": np.int32(7)}} if wrapped else tree))
    back = from_jax(config, read_jax_npz(tmp_path / "weights.npz"))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return pathlib.Path("was-run").write_text, ("x",)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Attack(), "names .*, which is not plain data"),
        ({"encoder": {"a": Attack()}}, "names"),
        ({"encoder": {"a": "text"}}, "a value of the type str"),
        ({"encoder": {"a": None}}, "a value of the type NoneType"),
        ({"encoder": {"a": np.array([{}, []], dtype=object)}}, "several objects"),
        ({"encoder": [np.zeros(1)]}, "a value of the type list"),
        (Fraction(1, 2), r"names fractions\.Fraction"),
    ],
)
def test_npz_files_that_hold_more_than_arrays_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("pickled.npz", x=np.array(entry, dtype=object))
    with pytest.raises(WeightsError, match=message):
        read_jax_npz(tmp_path / "pickled.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["pickled.npz"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255))
@example(4596, 1)  # an entry that lies before the file begins
def test_damaged_npz_files_give_arrays_or_the_typed_error(place: int, byte: int) -> None:
    memory = io.BytesIO()
    np.savez(memory, encoder=np.array({"a": {"b": np.arange(5.0)}, "c": np.float32(1)}, dtype=object), x=np.ones(3))
    data = bytearray(memory.getvalue())
    data[place % len(data)] = byte
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        path.write_bytes(data)
        try:
            assert isinstance(read_jax_npz(path), dict)
        except WeightsError as error:
            assert str(path) in str(error)
