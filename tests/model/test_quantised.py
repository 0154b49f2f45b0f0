"""int8 weights: close to float32 in every modality, no row depends on its neighbours, the float network unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from embodio.model import ConfigError, UnifiedIO2, WeightsError, save_weights
from embodio.model.generation import GenerationOptions, generate
from embodio.model.int8_products import largest_weight
from embodio.model.quantised import Int8Linear, quantise
from tests.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network

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


def test_rows_do_not_depend_on_their_neighbours() -> None:
    torch.manual_seed(0)
    linear, x = Int8Linear(torch.randn(48, 64), torch.randn(48), "dynamic"), torch.randn(20, 64)
    alone = linear(x[3:4])
    x[5] *= 1e4
    x[6] = 0.0
    assert torch.equal(linear(x)[3:4], alone)
    assert torch.equal(linear(x)[6], linear.bias)


@pytest.mark.parametrize("sign", [1, -1])
def test_no_sum_overflows(sign: int) -> None:
    assert largest_weight() in (63, 127)
    product = Int8Linear(torch.full((8, 512), 0.5), None, "dynamic")(torch.full((2, 512), 3.0 * sign))
    torch.testing.assert_close(product, torch.full((2, 8), 768.0 * sign))


@pytest.mark.parametrize("rows", [1, 9])
@pytest.mark.parametrize(("mode", "tolerance"), [("dynamic", 0.025), ("weight_only", 0.012)])
def test_linear_map(mode: str, tolerance: float, rows: int) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(96, 256), torch.randn(96), torch.randn(2, rows, 256)
    found = Int8Linear(weight, bias, mode)(x) - bias
    assert relative(found, x @ weight.t()) < tolerance


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
