"""Weights of a network that are drawn anew, as those of a new one are."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch

from embodio.model.network.network import UnifiedIO2
from embodio.train.errors import TrainError


@torch.no_grad()
def draw_weights(model: UnifiedIO2, patterns: Sequence[str], seed: int) -> None:
    """Draws the weights of some names anew.

    Args:
        model: changed in place.
        patterns: of the names, such as "towers.image.*".
        seed: of the draw.

    Raises:
        TrainError: a pattern matches no weight.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise TrainError(f"fresh: {pattern!r} matches no weight; names are such as {names[0]}")
    torch.manual_seed(seed)
    drawn = dict(UnifiedIO2(model.config).named_parameters())
    for name, weight in model.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            weight.copy_(drawn[name])
