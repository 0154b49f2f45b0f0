"""The counters of a network against meta-device networks, torch's own counter, and what autograd really keeps."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from embodio.model.config.model import ModelConfig
from embodio.model.errors import ConfigError
from embodio.model.network.counters import (
    ExampleSize,
    low_rank_cost,
    low_rank_parameters,
    network_cost,
    parameter_counts,
)
from embodio.model.network.network import UnifiedIO2
from embodio.train.network.lora import adapt
from embodio.train.run_config import LoraConfig
from tests.support.model.small import CONFIG as SMALL

GENERALIST = ModelConfig.named("nano_generalist")
SIZES = (
    ExampleSize.largest(GENERALIST),
    ExampleSize(text=40, text_target=30),
    ExampleSize(text=40, image=36, image_history=(36, 36), image_target=144),
    ExampleSize(text=40, audio=64, audio_history=(64,), text_target=9, audio_target=128),
)


def batch_of(size: ExampleSize, config: ModelConfig) -> dict[str, Tensor]:
    """A batch of one example of that size."""
    found = {"inputs/text/tokens": torch.ones(1, size.text, dtype=torch.long)}
    if size.text_target:
        found["targets/text/targets"] = torch.ones(1, size.text_target, dtype=torch.long)
    for name in ("image", "audio"):
        shapes: dict[str, tuple[int, ...]] = {}
        if patches := getattr(size, name):
            shapes[name] = (1, patches)
        if frames := getattr(size, f"{name}_history"):
            shapes[f"{name}_history"] = (1, len(frames), frames[0])
        numbers = config.image_patch_size**2 * 3 if name == "image" else config.audio_patch_size**2
        for modality, shape in shapes.items():
            found[f"inputs/{modality}/input"] = torch.zeros(*shape, numbers)
            found[f"inputs/{modality}/pos_ids"] = torch.arange(shape[-1]).expand(shape)
        if codes := getattr(size, f"{name}_target"):
            found[f"targets/{name}/tokens"] = torch.ones(1, codes, dtype=torch.long)
    return found


@pytest.mark.parametrize("name", ["nano", "nano_generalist", "large", "xl", "xxl"])
def test_parameters_are_those_of_a_network_on_the_meta_device(name: str) -> None:
    config = ModelConfig.named(name)
    with torch.device("meta"):
        network = UnifiedIO2(config)
    counts: Counter[str] = Counter()
    for full, parameter in network.named_parameters():
        first, second = full.split(".")[:2]
        counts[f"{first}.{second}" if first in ("towers", "inputs", "targets") else first] += parameter.numel()
    assert parameter_counts(config) == counts


def test_the_generalist_has_at_most_7_million_parameters() -> None:
    assert sum(parameter_counts(GENERALIST).values()) <= 7_000_000


def operations(config: ModelConfig, size: ExampleSize, rank: int = 0) -> tuple[int, int]:
    """Operations of a forward pass, and of both passes, as torch counts them; explicit attention, which it counts."""
    network = UnifiedIO2(config)
    if rank:
        adapt(network, LoraConfig(rank), 0)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        loss = network.loss(network(batch_of(size, config))).total
        forward = counter.get_total_flops()
        loss.backward()
        return forward, counter.get_total_flops()


@pytest.mark.parametrize("size", SIZES)
def test_operations_are_those_that_torch_counts(size: ExampleSize) -> None:
    cost = network_cost(GENERALIST, size)
    assert (cost.forward, cost.training) == operations(GENERALIST, size)


def test_frozen_towers_have_no_backward_pass() -> None:
    size = ExampleSize(text=7, image=16, image_history=(16, 16), audio=8, text_target=5)
    frozen = SMALL.replace(freeze_vit=True)
    cost = network_cost(frozen, size)
    assert (cost.forward, cost.training) == operations(frozen, size)
    assert cost.training < network_cost(SMALL.replace(freeze_vit=False), size).training


def test_operations_of_a_released_size_are_those_of_a_network_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # which knows no meta device
    config = ModelConfig.named("large")
    size = ExampleSize(text=8, image=576, audio=128, image_history=(256,), text_target=4, image_target=1024)
    with torch.device("meta"), sdpa_kernel(SDPBackend.MATH):
        network = UnifiedIO2(config)
        with FlopCounterMode(display=False) as counter:
            network(batch_of(size, config))
    assert network_cost(config, size).forward == counter.get_total_flops()


def kept_by_autograd(network: UnifiedIO2, size: ExampleSize) -> int:
    """Numbers that autograd keeps of a forward pass, those of the network aside."""
    own = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point() and tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = network.loss(network(batch_of(size, network.config)))
    assert loss.total.requires_grad
    return sum(tensor.untyped_storage().nbytes() // tensor.element_size() for tensor in kept.values())


@pytest.mark.parametrize("size", SIZES)
def test_what_is_kept_is_what_autograd_keeps(size: ExampleSize) -> None:
    """Within a tenth: masks, positions and numbers for each token are left out."""
    numbers = kept_by_autograd(UnifiedIO2(GENERALIST), size)
    assert network_cost(GENERALIST, size).kept() == pytest.approx(numbers, rel=0.1)
    assert network_cost(GENERALIST, size).kept(checkpointing=True) < 0.6 * numbers


@pytest.mark.parametrize("size", SIZES)
def test_operations_of_low_rank_changes_are_those_that_torch_counts(size: ExampleSize) -> None:
    cost = low_rank_cost(GENERALIST, size, 4)
    assert (cost.forward, cost.training) == operations(GENERALIST, size, 4)


@pytest.mark.parametrize("size", SIZES)
def test_what_low_rank_changes_keep_is_what_autograd_keeps(size: ExampleSize) -> None:
    network = UnifiedIO2(GENERALIST)
    adapt(network, LoraConfig(4), 0)
    numbers = kept_by_autograd(network, size)
    assert low_rank_cost(GENERALIST, size, 4).kept() == pytest.approx(numbers, rel=0.1)


def test_low_rank_changes_are_counted() -> None:
    network = UnifiedIO2(GENERALIST)
    adapt(network, LoraConfig(4), 0)
    trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    assert low_rank_parameters(GENERALIST, 4) == trained


def test_a_modality_that_the_network_lacks_is_named() -> None:
    with pytest.raises(ConfigError, match="no audio"):
        network_cost(ModelConfig.named("nano"), ExampleSize(text=4, audio=8, text_target=4))
