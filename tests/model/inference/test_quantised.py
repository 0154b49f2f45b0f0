"""int8 weights: close to float32 in every modality, no row depends on its neighbours, the float network unchanged."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from embodio.model import ConfigError, UnifiedIO2, WeightsError, save_weights
from embodio.model.generation import GenerationOptions, generate
from embodio.model.inference import int8_products
from embodio.model.inference.quantised import Int8Linear, quantise
from embodio.model.layers.attention import MANY_TOKENS, SelfAttention
from embodio.model.layers.token_sequence import concatenate
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network

TOLERANCE = {"dynamic": 0.05, "weight_only": 0.03}
"""Largest error of the golden network's logits, root mean square, as a part of their own."""


@pytest.fixture(scope="module")
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("mode", ["dynamic", "weight_only"])
@torch.no_grad()
def test_logits_of_every_modality(golden: GoldenNetwork, mode: str) -> None:
    exact, small = golden.model(golden.batch), quantise(golden.model, mode)(golden.batch)
    assert set(exact) == {"text", "image", "audio"}
    for modality, output in exact.items():
        valid = torch.ones(output.ids.shape, dtype=torch.bool) if output.loss_mask is None else output.loss_mask
        error = relative(small[modality].logits[valid], output.logits[valid])
        assert 1e-4 < error < TOLERANCE[mode], f"{modality}: {error:.4f}"


@pytest.mark.parametrize("mode", ["dynamic", "weight_only"])
@torch.no_grad()
def test_steps_equal_whole_sequences(golden: GoldenNetwork, mode: str) -> None:
    model = quantise(golden.model, mode)
    batch = golden.only(("text", "image"), ("text",))
    encoded = model.encode(batch)
    tokens = torch.randint(3, 500, (2, 6), generator=torch.Generator().manual_seed(0))
    state, exact_state = model.start_decoding(encoded, 6), golden.model.start_decoding(golden.model.encode(batch), 6)
    steps = torch.cat([model.decode_step(state, token) for token in tokens.split(1, dim=1)], dim=1)
    assert relative(steps, golden.model.decode_step(exact_state, tokens)) < TOLERANCE[mode]
    if mode == "dynamic":  # few rows and many are rounded alike
        whole = model.decode_step(model.start_decoding(encoded, 6), tokens)
        torch.testing.assert_close(steps, whole, atol=0.02 * float(steps.std()), rtol=0)
    assert generate(model, batch, options=GenerationOptions(max_tokens=4)).tokens.shape[0] == 2


@pytest.mark.parametrize("many_rows", [False, True])
def test_rows_do_not_depend_on_their_neighbours(many_rows: bool) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(48, 60), torch.randn(48), torch.randn(20, 60)
    linear = Int8Linear(weight, bias, "dynamic", many_rows=many_rows)
    alone = linear(x[3:4])
    x[5] *= 1e4
    x[6] = 0.0
    assert torch.equal(linear(x)[3:4], alone)
    assert torch.equal(linear(x)[6], bias) and torch.equal(linear(x[6:7])[0], bias)
    assert linear(x[:0]).shape == (0, 48)


@pytest.mark.parametrize("many_rows", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_no_sum_overflows(sign: int, many_rows: bool) -> None:
    assert int8_products.largest_weight() in (63, 127)
    linear = Int8Linear(torch.full((8, 512), 0.5), None, "dynamic", many_rows=many_rows)
    torch.testing.assert_close(linear(torch.full((2, 512), 3.0 * sign)), torch.full((2, 8), 768.0 * sign))


@pytest.mark.parametrize("rows", [1, 9])
@pytest.mark.parametrize(
    ("mode", "many_rows", "tolerance"),
    [("dynamic", False, 0.025), ("dynamic", True, 0.025), ("weight_only", False, 0.012)],
)
def test_linear_map(mode: Literal["dynamic", "weight_only"], many_rows: bool, tolerance: float, rows: int) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(96, 256), torch.randn(96), torch.randn(2, rows, 256)
    linear = Int8Linear(weight, bias, mode, many_rows=many_rows)
    assert relative(linear(x) - bias, x @ weight.t()) < tolerance
    assert torch.equal(copy.deepcopy(linear)(x), linear(x))
    turned = Int8Linear(weight.t().contiguous().t(), bias, mode, many_rows=many_rows)
    assert torch.equal(turned(x), linear(x))


def test_without_an_exact_kernel_for_many_rows_the_other_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_products, "_onednn_is_exact", lambda: False)
    torch.manual_seed(0)
    weight, x = torch.randn(48, 64), torch.randn(20, 64)
    many, few = (Int8Linear(weight, None, "dynamic", many_rows=many_rows) for many_rows in (True, False))
    assert torch.equal(many(x), few(x))


@torch.no_grad()
def test_attention_among_many_tokens(golden: GoldenNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embodio.model.inference.quantised.multiplies_bfloat16", lambda: True)
    small, tokens = quantise(golden.model), torch.randn(2, 2 * MANY_TOKENS, golden.model.config.transformer.emb_dim)
    mask = torch.ones(1, 1, 1, tokens.shape[1], dtype=torch.bool)
    modules = [module for module in small.modules() if isinstance(module, SelfAttention)]
    inside = [module for module in modules if module.attention_dtype == torch.bfloat16]
    assert 0 < len(inside) < len(modules)  # the encoder's, and not the decoder's
    rotary = torch.polar(torch.ones(1, tokens.shape[1], 1, inside[0].query_key_norm.shape[1] // 2), torch.tensor(0.3))
    expected, found = (inside[0](tokens, rotary, given) for given in (mask, None))
    assert 1e-4 < relative(found, expected) < 0.01
    few, rotary = tokens[:, 1:MANY_TOKENS], rotary[:, 1:MANY_TOKENS]
    expected, found = (inside[0](few, rotary, given) for given in (mask[..., 1:MANY_TOKENS], None))
    assert relative(found, expected) < 1e-4  # products in float32 as before


@pytest.mark.slow
@torch.no_grad()
def test_a_compiled_encoder_gives_the_same(golden: GoldenNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embodio.model.inference.quantised.multiplies_bfloat16", lambda: True)
    monkeypatch.setattr("embodio.model.layers.attention.MANY_TOKENS", 2)
    small = quantise(golden.model)
    tokens = concatenate(list(small.embed_inputs(golden.only(("text",), ("text",))).values()))
    tokens = dataclasses.replace(tokens, mask=None)
    expected, found = (encoder(tokens).embeddings for encoder in (small.encoder, torch.compile(small.encoder)))
    assert relative(found, expected) < 0.01


def test_the_float_network_stays_as_it_is(golden: GoldenNetwork, tmp_path: Path) -> None:
    before = {name: tensor.clone() for name, tensor in golden.model.state_dict().items()}
    trained = {name for name, parameter in golden.model.named_parameters() if parameter.requires_grad}
    small = quantise(golden.model)
    after = golden.model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in after)
    assert {name for name, parameter in golden.model.named_parameters() if parameter.requires_grad} == trained
    assert small.table("text").data_ptr() == golden.model.table("text").data_ptr()
    with pytest.raises(WeightsError, match="cannot be saved"):
        save_weights(small, tmp_path)
    with pytest.raises(WeightsError, match="cannot be trained"):
        small.train()
    with pytest.raises(WeightsError, match="already"):
        quantise(small)


def test_what_cannot_be_quantised(golden: GoldenNetwork) -> None:
    with pytest.raises(ConfigError, match="'int4'"):
        quantise(golden.model, "int4")  # type: ignore[arg-type]
    with torch.device("meta"):
        empty = UnifiedIO2(golden.model.config)
    with pytest.raises(WeightsError, match="on meta"):
        quantise(empty)
