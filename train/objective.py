"""Objectives: the loss and the figures of a batch; the objective of a language model over all modalities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from embodio.model.network.batch import Batch
from embodio.model.network.network import UnifiedIO2

Network = TypeVar("Network", bound=nn.Module)
Network_contra = TypeVar("Network_contra", bound=nn.Module, contravariant=True)


class Figure(NamedTuple):
    """A mean as a sum and its divisor, two scalar tensors, so that several batches can be added."""

    total: Tensor
    divisor: Tensor


class Outcome(NamedTuple):
    """The result of a network on a batch.

    Attributes:
        loss: scalar; the trainer calls `backward` on it.
        weight: scalar, how much the batch counts in a mean of losses, such as its number of tokens.
        figures: name in the log -> figure, without gradients; "accuracy" is shown while training.
    """

    loss: Tensor
    weight: Tensor
    figures: Mapping[str, Figure]


class Objective(Protocol[Network_contra]):
    """Measures a batch."""

    def __call__(self, model: Network_contra, batch: Batch, /) -> Outcome:
        """The outcome of a batch on the model's device."""


@dataclass(frozen=True)
class TokenLoss:
    """Cross-entropy of the next token and z-loss, the same for each modality (paper, section 3.2).

    Its figures are the accuracy of the text tokens (of all tokens if there is no text), and the cross-entropy of
    each modality if the network writes other modalities than text.

    Attributes:
        z_loss: weight of the squared log-partition in the loss.
    """

    z_loss: float

    def __call__(self, model: UnifiedIO2, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        found = model.loss(model(batch), z_loss=self.z_loss)
        parts = found.modalities
        told = [parts["text"]] if "text" in parts else list(parts.values())
        right, counted = (sum_of([getattr(part, name) for part in told]) for name in ("right", "counted"))
        figures = {"accuracy": Figure(right, counted)}
        if len(model.config.target_modalities) > 1:
            one = torch.ones_like(counted)
            figures |= {f"loss_{name}": Figure(part.cross_entropy.detach(), one) for name, part in parts.items()}
        return Outcome(found.total, counted.clamp(min=1.0), figures)


def sum_of(values: list[Tensor]) -> Tensor:
    """The sum of scalar tensors."""
    return torch.stack(values).sum()
