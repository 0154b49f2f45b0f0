"""Objectives: the loss and the figures of a batch; the objective of a language model over all modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from embodio.model.network.batch import Batch
from embodio.model.network.loss import ALIKE, ModalityLoss, RowSums, Weighting, trained_positions
from embodio.model.network.network import UnifiedIO2
from embodio.train.errors import TrainError

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
        rows: modality -> sums of each example, where the objective is the cross-entropy of tokens.
    """

    loss: Tensor
    weight: Tensor
    figures: Mapping[str, Figure]
    rows: Mapping[str, RowSums] = MappingProxyType({})


class Objective(Protocol[Network_contra]):
    """Measures a batch."""

    def __call__(self, model: Network_contra, batch: Batch, /) -> Outcome:
        """The outcome of a batch on the model's device."""


class OwnObjective:
    """The outcome that a model, itself, gives of a batch."""

    def __call__(self, model: nn.Module, batch: Batch) -> Outcome:
        """The outcome of a batch."""
        found: Outcome = model(batch)
        return found


@runtime_checkable
class WeightedObjective(Protocol[Network_contra]):
    """An objective whose loss is a sum of means, and which can divide by other counts than those of its own batch.

    So the gradients of several batches add up to that of all of them in one: accumulation needs it.
    """

    def weights(self, model: Network_contra, batch: Batch, /) -> Mapping[str, Tensor]:
        """Name of a mean -> how many values of the batch it is taken over, a scalar, before the network has run."""

    def __call__(self, model: Network_contra, batch: Batch, weights: Mapping[str, Tensor] | None = None, /) -> Outcome:
        """The outcome of a batch on the model's device, with sums divided by `weights` rather than by its own."""


def loss_weights(objective: Any, model: nn.Module, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """What the means of a loss are divided by if it is computed over several batches.

    Raises:
        TrainError: the objective has no `weights`.
    """
    if not isinstance(objective, WeightedObjective):
        raise TrainError(
            f"accumulate: {type(objective).__name__} cannot add up batches, as it has no `weights`; set accumulate=1"
        )
    total: dict[str, Tensor] = {}
    for batch in batches:
        for name, weight in objective.weights(model, batch).items():
            total[name] = total[name] + weight if name in total else weight
    return total


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of several batches whose sums were divided by the counts of all of them."""
    if len(outcomes) == 1:
        return outcomes[0]
    figures: dict[str, Figure] = {}
    for outcome in outcomes:
        for name, figure in outcome.figures.items():
            before = figures.get(name)
            figures[name] = figure if before is None else Figure(*map(torch.add, before, figure))
    loss, weight = (sum_of([getattr(outcome, name) for outcome in outcomes]) for name in ("loss", "weight"))
    return Outcome(loss, weight, figures, _rows_together(outcomes))


def _rows_together(outcomes: Sequence[Outcome]) -> dict[str, RowSums]:
    """The sums of the examples of several batches; zeros for those of a batch without the modality."""
    sizes = [max((len(rows.sums) for rows in outcome.rows.values()), default=0) for outcome in outcomes]
    found: dict[str, RowSums] = {}
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome.rows):
        known = [outcome.rows[name] for outcome in outcomes if name in outcome.rows]
        parts = [
            outcome.rows[name].sums if name in outcome.rows else known[0].sums.new_zeros(size, 4)
            for outcome, size in zip(outcomes, sizes, strict=True)
        ]
        found[name] = RowSums(torch.cat(parts), torch.stack([rows.ids for rows in known]).sum(0))
    return found


@dataclass(frozen=True)
class TokenLoss:
    """Cross-entropy of the next token and z-loss, the same for each modality (paper, section 3.2).

    Its figures are the accuracy of the text tokens (of all tokens if there is no text), and the cross-entropy of
    each modality if the network writes other modalities than text.

    Attributes:
        z_loss: weight of the squared log-partition in the loss.
        weighting: how much modalities and examples count in training; held-out losses are plain means, which compare.
    """

    z_loss: float
    weighting: Weighting = ALIKE

    def weights(self, model: UnifiedIO2, batch: Batch) -> Mapping[str, Tensor]:
        """Trained positions of each modality, by the weighting."""
        lengths = {name: model.target(name).max_length for name in model.config.target_modalities}
        return trained_positions(batch, lengths, self.weighting)

    def __call__(self, model: UnifiedIO2, batch: Batch, weights: Mapping[str, Tensor] | None = None) -> Outcome:
        """The outcome of a batch."""
        weighting = self.weighting if model.training else ALIKE
        found = model.loss(model(batch), z_loss=self.z_loss, weights=weights, weighting=weighting)
        parts = found.modalities
        told = [parts["text"]] if "text" in parts else list(parts.values())
        right, counted = (sum_of([getattr(part, name) for part in told]) for name in ("right", "counted"))
        figures = {"accuracy": Figure(right, counted)}
        if len(model.config.target_modalities) > 1:
            figures |= {f"loss_{name}": _mean(part, (weights or {}).get(name)) for name, part in parts.items()}
        rows = {name: part.rows for name, part in parts.items()}
        return Outcome(found.total, counted.clamp(min=1.0), figures, rows)


def _mean(part: ModalityLoss, weight_of_all: Tensor | None) -> Figure:
    """The cross-entropy of a modality, so that batches of one step add up to its mean over all their positions."""
    share = part.cross_entropy.detach()
    if weight_of_all is None:
        return Figure(share, torch.ones_like(share))
    return Figure(share * weight_of_all.to(share), part.weight)


def sum_of(values: list[Tensor]) -> Tensor:
    """The sum of scalar tensors."""
    return torch.stack(values).sum()
