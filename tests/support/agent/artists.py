"""A small policy whose network also draws."""

from __future__ import annotations

import dataclasses
import functools

import torch

from embodio.agent import (
    Checkpoint,
)
from embodio.model import UnifiedIO2
from tests.support.agent.policies import make_format
from tests.support.model.small import CONFIG


@functools.lru_cache
def artist(**changes: object) -> Checkpoint:
    """A policy whose small random network also draws."""
    torch.manual_seed(5)
    policy_format = make_format(**({"chunk": 2} | changes))
    lengths = dataclasses.replace(CONFIG.lengths, decoder_image=16)
    network = UnifiedIO2(dataclasses.replace(CONFIG, lengths=lengths), tokenizers=True).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    return Checkpoint(network, policy_format)
