"""Recomputation: equal losses and gradients, with dropout too, and fewer activations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from embodio.train.errors import TrainError
from embodio.train.loop import Trainer
from embodio.train.main import trainer_of
from embodio.train.network.recomputation import recompute
from embodio.train.optimisers.config import OptimiserConfig
from tests.support.toy_experiment import ToyConfig, build


def trainer(out: Path, *patterns: str) -> Trainer[Any]:
    own = OptimiserConfig(warmup=0)
    config = ToyConfig(out=str(out), batch_size=4, workers=0, optimiser=own, dropout_rate=0.2, recompute=patterns)
    torch.manual_seed(0)
    return trainer_of(build(config), config)


def kept_bytes(run: Trainer[Any]) -> int:
    """Bytes that a forward pass keeps for the backward pass."""
    kept = list[int]()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.untyped_storage().nbytes() if not isinstance(tensor, nn.Parameter) else 0)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        run.measure(run.batches.make(0)[0])
    return sum(kept)


def test_gradients_are_equal_and_less_is_kept(tmp_path: Path) -> None:
    plain, again = trainer(tmp_path), trainer(tmp_path, "encoder.layers.*", "decoder.layers.*")
    assert set(plain.run.model.state_dict()) == set(again.run.model.state_dict())
    assert kept_bytes(again) < 0.8 * kept_bytes(plain)
    for step in range(2):
        batch, _ = plain.batches.make(step)
        one, other = plain.step(batch), again.step(batch)
        assert one.loss == other.loss and one.norm == other.norm
    for (name, weight), same in zip(plain.run.model.named_parameters(), again.run.model.parameters(), strict=True):
        assert torch.equal(weight, same), name


def test_the_outermost_of_nested_modules_counts() -> None:
    model = nn.ModuleDict({"layers": nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for _ in range(2)])})
    assert recompute(model, ["layers.*"]) == ("layers.0", "layers.1")
    with pytest.raises(TrainError, match=r"recompute: 'blocks\.\*' matches no module; lists of layers are layers\.\*"):
        recompute(model, ["blocks.*"])
