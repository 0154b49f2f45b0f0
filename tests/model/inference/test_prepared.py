"""A prepared network equals a plain one but for rounding, however it is used; also transposed weights alone."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model import UnifiedIO2, load_weights, prepare, quantise, save_weights
from embodio.model.generation import Beam, GenerationOptions, generate
from embodio.model.layers.layers import is_transposed, linear, store_transposed
from embodio.model.memory import allocate
from tests.support.model.golden_network import OWN_FOLDER, GoldenNetwork, load_network, worst

TOLERANCE = 2e-5
"""Of logits with a standard deviation of 0.24; the rounding of float32 in another order of adding."""


@pytest.fixture(scope="module")
def golden() -> GoldenNetwork:
    return load_network(OWN_FOLDER)


@pytest.fixture(scope="module")
def prepared(golden: GoldenNetwork) -> UnifiedIO2:
    return prepare(copy.deepcopy(golden.model))


def transposed(weight: Tensor) -> nn.Parameter:
    parameter = nn.Parameter(weight.clone(), requires_grad=False)
    store_transposed(parameter)
    assert is_transposed(parameter) and torch.equal(parameter, weight)
    return parameter


@torch.no_grad()
def test_logits_of_every_modality(golden: GoldenNetwork, prepared: UnifiedIO2) -> None:
    for modality, output in golden.model(golden.batch).items():
        assert worst(prepared(golden.batch)[modality].logits, output.logits) < TOLERANCE


@pytest.mark.parametrize("modality", ["text", "image", "audio"])
@pytest.mark.parametrize("rows", [1, 2])
def test_steps(golden: GoldenNetwork, prepared: UnifiedIO2, modality: str, rows: int) -> None:
    batch = {key: value[:rows] for key, value in golden.batch.items() if key.startswith("inputs/")}
    tokens = torch.randint(2, 50, (rows, 6), generator=torch.Generator().manual_seed(0))
    found = []
    for model in (golden.model, prepared):
        with torch.no_grad():
            state = model.start_decoding(model.encode(batch), 6, modality)
        found.append(torch.cat([model.decode_step(state, part) for part in tokens.split([1, 1, 4], dim=1)], dim=1))
    assert worst(*found) < TOLERANCE


@pytest.mark.parametrize("beam", [None, Beam(width=3)])
def test_the_same_ids_are_generated(golden: GoldenNetwork, prepared: UnifiedIO2, beam: Beam | None) -> None:
    options = GenerationOptions(max_tokens=12, beam=beam)
    expected, found = (generate(model, golden.batch, options=options).tokens for model in (golden.model, prepared))
    assert torch.equal(found, expected)


def test_it_is_saved_quantised_and_trained_as_before(
    golden: GoldenNetwork, prepared: UnifiedIO2, tmp_path: Path
) -> None:
    save_weights(prepared, tmp_path)
    for name, tensor in load_weights(tmp_path).state_dict().items():
        assert torch.equal(tensor, golden.model.state_dict()[name]) and tensor.is_contiguous()
    batch = golden.only(("text",), ("text",))
    with torch.no_grad():
        expected, found = (quantise(model)(batch)["text"].logits for model in (golden.model, prepared))
    torch.testing.assert_close(found, expected)
    gradients = []
    for model in (copy.deepcopy(golden.model), copy.deepcopy(prepared)):
        weight = model.decoder.layer_list()[0].mlp.down.weight.requires_grad_()
        model.loss(model(batch)).total.backward()
        assert weight.grad is not None
        gradients.append(weight.grad)
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)


def test_what_is_not_float32_stays(golden: GoldenNetwork) -> None:
    half = prepare(copy.deepcopy(golden.model).to(torch.bfloat16))
    assert not any(is_transposed(parameter) for parameter in half.parameters() if parameter.dim() == 2)
    assert prepare(half) is half


@pytest.mark.parametrize("shape", [(1, 40), (40,), (1, 1, 40), (3, 40), (2, 5, 40), (0, 40)])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("onednn", [True, False])
def test_linear(shape: tuple[int, ...], with_bias: bool, onednn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not onednn:
        monkeypatch.setattr("embodio.model.layers.layers._has_onednn", lambda: False)
    torch.manual_seed(0)
    x, weight, bias = torch.randn(shape), torch.randn(24, 40), torch.randn(24) if with_bias else None
    expected = functional.linear(x, weight, bias)
    with torch.no_grad():
        found = linear(x, transposed(weight), bias)
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        if x.dim() == 3:  # a view that is not contiguous
            torch.testing.assert_close(linear(x.transpose(0, 1), transposed(weight), bias), expected.transpose(0, 1))


def test_gradients_autocast_and_compiled_code_take_the_plain_way() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(3, 40, requires_grad=True), transposed(torch.randn(24, 40))
    linear(x, weight).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weight.sum(0).expand(3, -1))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(x, weight).dtype == torch.bfloat16
    compiled = torch.compile(linear, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x, weight), functional.linear(x, weight), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(), (3, 5), (300, 100), (0, 4)])
def test_allocated_memory_can_be_written(shape: tuple[int, ...]) -> None:
    tensor = allocate(shape, torch.float32)
    assert tensor.shape == shape and tensor.dtype == torch.float32
    assert torch.equal(tensor.fill_(2.0), torch.full(shape, 2.0))
