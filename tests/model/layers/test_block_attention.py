"""FlexAttention of packed rows gives what a CPU computes example by example; here without its kernel, eagerly."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from embodio.model import ModelConfig, UnifiedIO2
from embodio.model.layers import block_attention, token_sequence
from embodio.model.network import transformer
from embodio.model.network.packing import ALWAYS_ROWS, on_device
from tests.support.model.small import CONFIG

TEXTS = (torch.arange(9) < torch.tensor([[9], [4], [6], [2]])).int()


def network(paper: bool) -> UnifiedIO2:
    torch.manual_seed(0)
    layers = dataclasses.replace(CONFIG.transformer, num_decoder_layers=3)
    config: ModelConfig = CONFIG.replace(transformer=layers, sparse_decoding=paper, dynamic_masking=paper)
    return UnifiedIO2(config).eval()


def batch_of_four() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    drawn = torch.tensor([[1], [0], [1], [1]])
    return {
        "inputs/text/tokens": torch.randint(1, 900, (4, 9), generator=rng),
        "inputs/text/mask": TEXTS,
        "targets/text/targets": torch.randint(1, 900, (4, 7), generator=rng),
        "targets/text/segment_ids": torch.tensor([1, 1, 1, 2, 2, 2, 3]).expand(4, -1),
        "targets/image/tokens": torch.randint(2, 40, (4, 64), generator=rng),
        "targets/image/mask": drawn.expand(4, 64),
        "targets/image/task_mask": (torch.rand(4, 64, generator=rng) < 0.4).int(),
        "packing/rows": torch.tensor([0, 1, 0, 1]),
    }


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("paper", [False, True])
def test_blocks_equal_spans(paper: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch, calls = network(paper), batch_of_four(), []
    attend = block_attention.BlockAttention.attend
    with torch.no_grad():
        expected = model(batch)
        for module in (token_sequence, transformer):
            monkeypatch.setattr(module, "skips_blocks", lambda device: True)
        monkeypatch.setattr(
            block_attention.BlockAttention, "attend", lambda *arguments: calls.append(1) or attend(*arguments)
        )
        token = ALWAYS_ROWS.set(True)
        try:
            found = model(batch)
        finally:
            ALWAYS_ROWS.reset(token)
    assert len(calls) == 2 + 2 * 3, "each attention of the transformer"
    for name, output in expected.items():
        torch.testing.assert_close(found[name].logits, output.logits, rtol=1e-5, atol=1e-5)


def test_a_cpu_does_not_compute_blocks() -> None:
    assert not block_attention.skips_blocks(torch.device("cpu"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the kernel is for GPUs")
@pytest.mark.parametrize("paper", [False, True])
def test_the_kernel_gives_the_losses_and_gradients_of_a_cpu(paper: bool) -> None:
    """Forward and backward pass of the compiled kernel; products of a GPU round differently."""
    here, there = network(paper).train(), network(paper).train().cuda()
    assert block_attention.skips_blocks(torch.device("cuda"))
    batch = batch_of_four()
    losses = [here.loss(here(batch)), there.loss(there(on_device(batch, torch.device("cuda"))))]
    for loss in losses:
        loss.total.backward()
    assert float(losses[1].total) == pytest.approx(float(losses[0].total), rel=1e-4)
    expected = dict(here.named_parameters())
    for name, weight in there.named_parameters():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad.cpu(), expected[name].grad, rtol=1e-3, atol=1e-4)
