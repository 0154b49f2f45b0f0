"""A share of the decoder inputs of image and audio targets is nothing in training, and only then."""

from __future__ import annotations

from typing import cast

import pytest
import torch

from embodio.model.config.model import ModelConfig
from embodio.model.errors import ConfigError
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import CodeTarget

CONFIG = ModelConfig.named("nano_generalist")


def target_of(dropout: float) -> tuple[CodeTarget, torch.Tensor]:
    torch.manual_seed(0)
    network = UnifiedIO2(CONFIG.replace(code_dropout=dropout))
    return cast(CodeTarget, network.target("image")), network.table("image").detach()


@pytest.mark.parametrize("dropout", [0.4, 1.0])
def test_shares_are_drawn_evenly_for_each_row(dropout: float) -> None:
    target, table = target_of(dropout)
    ids = torch.randint(2, 100, (400, target.max_length))
    embedded = target.train().embed(ids, table)
    gone = (embedded == target.modality_vector).all(-1)
    whole = torch.nn.functional.embedding(ids, table) + target.modality_vector
    assert torch.equal(embedded[~gone], whole[~gone]), "what stays is as it was"
    shares = gone.float().mean(1)
    assert abs(shares.mean().item() - dropout / 2) < 0.05
    assert shares.min() < 0.1 * dropout and 0.9 * dropout < shares.max() <= min(1.0, dropout + 0.15)


def test_nothing_is_left_out_when_it_writes() -> None:
    target, table = target_of(1.0)
    ids = torch.randint(2, 100, (8, target.max_length))
    whole = torch.nn.functional.embedding(ids, table) + target.modality_vector
    assert torch.equal(target.eval().embed(ids, table), whole)
    none, table = target_of(0.0)
    assert torch.equal(none.train().embed(ids, table), whole)


def test_impossible_values_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"code_dropout 1\.5; expected a scale above 0 and a share from 0 to 1"):
        CONFIG.replace(code_dropout=1.5)
    with pytest.raises(ConfigError, match="image_target_scale is 0"):
        CONFIG.replace(image_target_scale=0.0)
