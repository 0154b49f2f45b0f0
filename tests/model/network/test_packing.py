"""Packing: outputs, losses and gradients are those of the unpacked batch, whoever shares a row."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from embodio.model import BatchError, TokenSequence, UnifiedIO2
from embodio.model.layers.token_sequence import concatenate
from embodio.model.network.packing import ALWAYS_ROWS, Packing, packings
from tests.support.model.small import CONFIG

INPUTS = ("text", "image", "image_history", "audio", "audio_history")
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def network(**changes: Any) -> UnifiedIO2:
    torch.manual_seed(0)
    return UnifiedIO2(CONFIG.replace(freeze_vit=False, **changes))


def batch_of(size: int, seed: int) -> dict[str, Tensor]:
    """Examples with some of the inputs and targets each, of many lengths, padding between and after their tokens."""
    rng = torch.Generator().manual_seed(seed)

    def ints(high: int, *shape: int) -> Tensor:
        return torch.randint(1, high, shape, generator=rng)

    def mask(*shape: int) -> Tensor:
        return (torch.rand(shape, generator=rng) < torch.rand(size, *[1] * (len(shape) - 1), generator=rng)).int()

    patch = {"image": 8 * 8 * 3, "audio": 8 * 8}
    batch = {"inputs/text/tokens": ints(1000, size, 9), "inputs/text/mask": mask(size, 9)}
    batch["inputs/text/mask"][:, 0] = 1  # the prefix
    for name in INPUTS[1:]:
        kind = name.split("_")[0]
        frames = (2,) if "history" in name else ()
        count = 4 if kind == "image" else 3
        batch[f"inputs/{name}/input"] = torch.randn(size, *frames, count, patch[kind], generator=rng)
        batch[f"inputs/{name}/mask"] = mask(size, *frames, count)
        batch[f"inputs/{name}/pos_ids"] = torch.arange(count).expand(size, *frames, count).clone()
    batch |= {"targets/text/targets": ints(1000, size, 7), "targets/text/mask": mask(size, 7)}
    for name in ("image", "audio"):
        codes = 64 if name == "image" else CONFIG.audio_tokenizer.grid
        length = codes if isinstance(codes, int) else codes[0] * codes[1]
        batch[f"targets/{name}/tokens"] = ints(40, size, length)
        valid = mask(size, 1).expand(size, length).contiguous()
        batch[f"targets/{name}/mask"] = valid
        batch[f"targets/{name}/task_mask"] = mask(size, length)
    batch["targets/text/mask"][:, 0] = 1
    return batch


def gradients(
    model: UnifiedIO2, batch: dict[str, Tensor]
) -> tuple[dict[str, Any], dict[str, float], dict[str, Tensor]]:
    """Outputs; the loss of each modality, and "total"; the gradient of each parameter that has one."""
    model.zero_grad()
    outputs = model(batch)
    loss = model.loss(outputs)
    loss.total.backward()
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    losses = {name: float(one.cross_entropy + one.z_loss) for name, one in loss.modalities.items()} | {
        "total": float(loss.total)
    }
    return outputs, losses, found


def encoded(model: UnifiedIO2, batch: dict[str, Tensor]) -> Tensor:
    """What the encoder makes of a batch [B, L, D], zero where there is no token."""
    states = list[Tensor]()
    inputs = concatenate(list(model.embed_inputs(batch).values()))
    with model.encoder.register_forward_hook(lambda module, given, found: states.append(found.embeddings)):
        model(batch)
    if "packing/rows" in batch:
        targets = concatenate([one.tokens for one in model.embed_targets(batch).values()], separate=True)
        return packings(inputs, targets, batch)[0].unpack(states[0])
    return states[0] * inputs.full_mask()[..., None]


@pytest.mark.parametrize("rows", [[0, 0, 0, 0], [0, 1, 0, 1], [3, 0, 0, 2], [0, 1, 2, 3]])
@pytest.mark.parametrize("paper", [False, True])
def test_packed_equals_unpacked_in_outputs_losses_and_gradients(rows: list[int], paper: bool) -> None:
    model = network(sparse_decoding=paper, dynamic_masking=paper)
    batch = batch_of(4, seed=1)
    plain, loss, grads = gradients(model, batch)
    packed, packed_loss, packed_grads = gradients(model, batch | {"packing/rows": torch.tensor(rows)})
    assert packed_loss == pytest.approx(loss, rel=1e-5) and loss.keys() == {"text", "image", "audio", "total"}
    for name, output in plain.items():
        valid = batch[f"targets/{name}/mask"].bool()
        torch.testing.assert_close(packed[name].logits[valid], output.logits[valid], **CLOSE)
    assert packed_grads.keys() == grads.keys()
    for name, grad in grads.items():
        torch.testing.assert_close(packed_grads[name], grad, **CLOSE)


@pytest.mark.parametrize("rows", [[0, 0, 0, 0], [3, 0, 0, 2]])
@pytest.mark.parametrize("in_rows", [False, True])
@torch.no_grad()
def test_packed_equals_unpacked_in_the_states_of_the_encoder(rows: list[int], in_rows: bool) -> None:
    model, batch = network().eval(), batch_of(4, seed=1)
    token = ALWAYS_ROWS.set(in_rows)
    try:
        packed = encoded(model, batch | {"packing/rows": torch.tensor(rows)})
    finally:
        ALWAYS_ROWS.reset(token)
    plain = encoded(model, batch)
    assert plain.abs().max() > 0.1
    torch.testing.assert_close(packed, plain, **CLOSE)


def test_another_example_of_the_row_cannot_be_seen() -> None:
    """Whatever the neighbour is, the logits of an example stay to the bit, as its tokens lie where they lay."""
    model, batch = network().eval(), batch_of(3, seed=2)
    other = batch | {
        key: torch.cat([value[:1], value[1:].flip(0)])
        for key, value in batch_of(3, seed=2).items()
        if "mask" not in key
    }
    rows = torch.tensor([0, 0, 0])
    with torch.no_grad():
        one, two = model(batch | {"packing/rows": rows}), model(other | {"packing/rows": rows})
    for name in one:
        torch.testing.assert_close(one[name].logits[0], two[name].logits[0], **CLOSE)


def test_hidden_inputs_leak_nowhere() -> None:
    """The gradient of one example's loss with respect to another's patches is exactly zero."""
    model, batch = network().eval(), batch_of(3, seed=3)
    pixels = batch["inputs/image/input"].requires_grad_()
    outputs = model(batch | {"inputs/image/input": pixels, "packing/rows": torch.tensor([0, 0, 0])})
    sum(output.logits[1].square().sum() for output in outputs.values()).backward()
    assert pixels.grad is not None
    assert not pixels.grad[0].any() and not pixels.grad[2].any() and pixels.grad[1].any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_token_is_lost_or_doubled(data: st.DataObject) -> None:
    size, length = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 8))
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    rows = torch.from_numpy(rng.integers(0, size, size))
    mask = torch.from_numpy(rng.random((size, length)) < rng.random())
    values = torch.randn(size, length, 4)
    tokens = TokenSequence(values, torch.ones(1, length, 2, dtype=torch.complex64), mask)
    packing = Packing.of(tokens, rows)
    packed = packing.pack(tokens)
    assert int(packing.mask.sum()) == int(mask.sum())
    torch.testing.assert_close(packing.unpack(packed.embeddings), values * mask[..., None], rtol=0, atol=0)
    assert packed.examples is not None
    for row in range(len(packing.mask)):
        ids = packed.examples[row][packing.mask[row]].tolist()
        assert ids == sorted(ids) and set(ids) <= set((rows == row).nonzero().flatten().tolist())
    assert packing.source.shape[1] == max(1, max(int(mask[rows == row].sum()) for row in range(size)))


def test_wrong_rows_are_refused() -> None:
    model, batch = network(), batch_of(2, seed=0)
    for rows in ([0, -1], [0]):
        with pytest.raises(BatchError):
            model(batch | {"packing/rows": torch.tensor(rows)})


def test_rows_without_padding_need_no_mask() -> None:
    tokens = TokenSequence(torch.randn(2, 3, 4), torch.ones(1, 3, 2, dtype=torch.complex64))
    packed = Packing.of(tokens, torch.tensor([0, 1])).pack(tokens)
    assert packed.mask is None and Packing.of(tokens, torch.tensor([0, 0])).padding == 0.0
    assert dataclasses.replace(packed, examples=None).examples is None


@pytest.mark.parametrize("paper", [False, True])
def test_rows_with_masks_and_flat_spans_agree(paper: bool) -> None:
    """What a GPU computes on rows is what a CPU computes example by example."""
    model = network(sparse_decoding=paper, dynamic_masking=paper)
    batch = batch_of(5, seed=4) | {"packing/rows": torch.tensor([1, 0, 1, 2, 0])}
    batch["targets/text/segment_ids"] = torch.tensor([1, 1, 1, 2, 2, 3, 3]).expand(5, -1).clone()
    flat, loss, grads = gradients(model, batch)
    token = ALWAYS_ROWS.set(True)
    try:
        rows, row_loss, row_grads = gradients(model, batch)
    finally:
        ALWAYS_ROWS.reset(token)
    assert row_loss == pytest.approx(loss, rel=1e-5)
    for name, output in flat.items():
        torch.testing.assert_close(rows[name].logits, output.logits, **CLOSE)
    for name, grad in grads.items():
        torch.testing.assert_close(row_grads[name], grad, **CLOSE)


def test_targets_without_an_input_are_refused() -> None:
    batch = {
        "inputs/text/tokens": torch.ones(2, 3, dtype=torch.int64),
        "inputs/text/mask": torch.tensor([[1, 1, 1], [0, 0, 0]]),
        "targets/text/targets": torch.ones(2, 3, dtype=torch.int64),
        "packing/rows": torch.tensor([0, 0]),
    }
    with pytest.raises(BatchError, match="example 1 of the batch has targets but no input"):
        network()(batch)
    batch["targets/text/mask"] = torch.tensor([[1, 1, 1], [0, 0, 0]])  # a blank example is none
    assert network()(batch)["text"].logits[1].abs().max() == 0
