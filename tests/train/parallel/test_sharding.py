"""Sharded networks whose processes have parts of a batch with different modalities."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from embodio.model.network.network import UnifiedIO2
from embodio.train.parallel.config import ParallelConfig
from embodio.train.parallel.sharding import clip_global_norm, shard, shell_of
from embodio.train.parallel.world import joined_world
from tests.support.model.small import CONFIG
from tests.support.train.processes import together


def part_of_a_batch(rank: int) -> dict[str, Tensor]:
    """The second part has a sound, and writes an image."""
    found = {"inputs/text/tokens": torch.full((2, 5), 7 + rank), "targets/text/targets": torch.full((2, 4), 9)}
    if rank:
        found["inputs/audio/input"] = torch.linspace(0, 1, 2 * 8 * 64).view(2, 8, 64)
        found["targets/image/tokens"] = torch.arange(64).expand(2, 64) % 40
    return found


def network() -> UnifiedIO2:
    torch.manual_seed(0)
    return UnifiedIO2(CONFIG.replace(freeze_vit=False))


def norm_of_shards() -> tuple[float, float]:
    model = network()
    with joined_world(ParallelConfig(), "cpu") as world:
        shard(model, world)
        model.loss(model(part_of_a_batch(world.rank))).total.backward()
        return clip_global_norm(model.parameters(), 1.0), clip_global_norm(model.parameters(), 1.0)


@pytest.mark.slow
def test_parts_of_a_batch_may_have_different_modalities() -> None:
    model = network()
    for rank in range(2):
        model.loss(model(part_of_a_batch(rank))).total.backward()
    expected = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item()
    for before, after in together(2, norm_of_shards):
        assert before == pytest.approx(expected, rel=1e-4)
        assert after == pytest.approx(min(1.0, expected), rel=1e-4)


def test_a_shell_has_no_memory_and_all_names() -> None:
    model = network()
    shell = shell_of(model)
    assert {tensor.device.type for tensor in shell.state_dict().values()} == {"meta"}
    assert shell.state_dict().keys() == model.state_dict().keys() and shell.config == model.config
    shell.load_state_dict(model.state_dict(), assign=True)
    assert torch.equal(shell.text_embedding.weight, model.text_embedding.weight)
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}
