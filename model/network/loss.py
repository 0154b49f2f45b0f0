"""The training loss: per modality, the mean cross-entropy plus a penalty on the log-partition function (z-loss)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from embodio.model.errors import BatchError
from embodio.model.layers.fused import cross_entropy
from embodio.model.network.batch import Batch
from embodio.model.tokens.vocabulary import EOS_ID

Z_LOSS = 1e-4


@dataclass(frozen=True)
class Weighting:
    """How much modalities and examples count in a loss.

    Attributes:
        modalities: modality -> factor of its mean; 1 for those that are not named, as in the paper.
        length_discount: the n positions of an example count n ** -length_discount each: with 0 every token counts the
            same, as in the paper, with 1 every example, however many tokens it has.
    """

    modalities: Mapping[str, float] = field(default_factory=dict)
    length_discount: float = 0.0

    def of_positions(self, mask: Tensor) -> Tensor:
        """Weights float32 [B, L] of positions; `mask` [B, L] is true where they are trained."""
        trained = (mask != 0).float()
        if not self.length_discount:
            return trained
        return trained * trained.sum(1, keepdim=True).clamp(min=1.0) ** -self.length_discount


ALIKE = Weighting()
"""Every modality counts the same, and so does every token of one."""


@dataclass(frozen=True)
class TargetOutput:
    """The network's output for one target modality.

    Attributes:
        found: logits over the whole (padded) table, [B, L, V]; with `places` [N, V], of those positions only.
        targets: int64 [B, L].
        loss_mask: bool [B, L], True where the position is trained; None when all are.
        places: int64 [N], the valid ones among the B * L positions, where only their logits were computed.
    """

    found: Tensor
    targets: Tensor
    loss_mask: Tensor | None
    places: Tensor | None = None

    @property
    def logits(self) -> Tensor:
        """[B, L, V]; zeros at positions of padding that were left out."""
        if self.places is None:
            return self.found
        flat = self.found.new_zeros(self.targets.numel(), self.found.shape[-1])
        return flat.index_copy(0, self.places, self.found).view(*self.targets.shape, -1)

    def at_places(self, values: Tensor) -> Tensor:
        """Values [B, L] of the positions that have logits, flat [N]."""
        return values.flatten() if self.places is None else values.flatten()[self.places]


@dataclass(frozen=True)
class RowSums:
    """Sums over the trained positions of each example, without gradients.

    Attributes:
        sums: float32 [B, 4]: cross-entropy in nats, positions, right ones, and counted ones as in `ModalityLoss`.
        ids: float32 [V], how often each id is the target of a trained position of any example.
    """

    sums: Tensor
    ids: Tensor


@dataclass(frozen=True)
class ModalityLoss:
    """Loss statistics over the trained positions of one modality, scalar tensors of at least float32.

    Attributes:
        cross_entropy: the mean, in nats; carries gradients. With `weights` of several batches, its share of their mean.
        z_loss: the mean penalty; carries gradients.
        weight: the number of positions, or the sum of their weights.
        right: number of positions where no logit exceeds the target's, without the end of the text.
        counted: number of positions without the end of the text, which a network learns immediately.
        rows: the same, example by example.
    """

    cross_entropy: Tensor
    z_loss: Tensor
    weight: Tensor
    right: Tensor
    counted: Tensor
    rows: RowSums

    @property
    def accuracy(self) -> Tensor:
        """The share of right positions; 0 where there are none to count."""
        return self.right / self.counted.clamp(min=1.0)


@dataclass(frozen=True)
class LossOutput:
    """The sum over modalities of cross-entropy and z-loss, and the parts it is made of."""

    total: Tensor
    modalities: dict[str, ModalityLoss]


def compute_loss(
    outputs: Mapping[str, TargetOutput],
    z_loss: float = Z_LOSS,
    weights: Mapping[str, Tensor] | None = None,
    weighting: Weighting = ALIKE,
) -> LossOutput:
    """Loss of the network's outputs: every modality counts the same, however many tokens it has.

    Args:
        outputs: as returned by `UnifiedIO2.forward`, keyed by modality.
        z_loss: factor on the mean of the squared log-partition function.
        weights: trained positions of each modality in all batches of a step (`trained_positions`), by which sums are
            divided, so that the losses of the batches add up to that of one large batch; None divides by their own.
        weighting: how much modalities and examples count instead.

    Returns:
        Total and parts. A modality without a trained position contributes 0.

    Raises:
        BatchError: there is no output at all.
    """
    if not outputs:
        raise BatchError("there is nothing to compute a loss of; give the batch at least one target")
    weights = weights or {}
    modalities = {
        name: _modality_loss(output, z_loss, weights.get(name), weighting) for name, output in outputs.items()
    }
    parts = [
        (part.cross_entropy + part.z_loss) * weighting.modalities.get(name, 1.0) for name, part in modalities.items()
    ]
    return LossOutput(torch.stack(parts).sum(), modalities)


def trained_positions(batch: Batch, lengths: Mapping[str, int], weighting: Weighting = ALIKE) -> dict[str, Tensor]:
    """Number of trained positions of each target modality of a batch, as `compute_loss` will count them.

    Args:
        batch: as given to `UnifiedIO2.forward`.
        lengths: modality -> tokens that its tokeniser makes of a raw target.
        weighting: by which positions are counted.

    Returns:
        Scalars float32, on the device of the batch.
    """
    found: dict[str, Tensor] = {}
    for name, length in lengths.items():
        mask = next((batch[key] for key in (f"targets/{name}/loss_mask", f"targets/{name}/mask") if key in batch), None)
        ids = next((batch[key] for key in (f"targets/{name}/targets", f"targets/{name}/tokens") if key in batch), None)
        raw = batch.get(f"targets/{name}/{name}")
        if mask is not None:
            found[name] = weighting.of_positions(mask).sum()
        elif ids is not None:
            found[name] = weighting.of_positions(torch.ones_like(ids)).sum()
        elif raw is not None:
            found[name] = weighting.of_positions(raw.new_ones(len(raw), length)).sum()
    return found


def _modality_loss(
    output: TargetOutput, z_loss: float, weight_of_all: Tensor | None, weighting: Weighting
) -> ModalityLoss:
    logits, targets = output.found.flatten(0, -2), output.at_places(output.targets)
    entropy, log_partition, correct = cross_entropy(logits, targets)
    trained = output.loss_mask if output.loss_mask is not None else torch.ones_like(output.targets)
    mask = output.at_places(trained != 0)
    counted = (targets != EOS_ID) & mask
    share = output.at_places(weighting.of_positions(trained)).to(entropy.dtype)
    weight = share.sum()
    divisor = weight if weight_of_all is None else weight_of_all.to(entropy)
    divisor = torch.where(divisor > 0, divisor, 1.0)

    def mean(values: Tensor) -> Tensor:
        return (values * share).sum() / divisor

    return ModalityLoss(
        cross_entropy=mean(entropy),
        z_loss=z_loss * mean(log_partition.square()),
        weight=weight,
        right=(correct & counted).sum().to(entropy.dtype),
        counted=counted.sum().to(entropy.dtype),
        rows=_row_sums(output, entropy.detach(), mask.float(), correct & counted, counted),
    )


@torch.no_grad()
def _row_sums(output: TargetOutput, entropy: Tensor, mask: Tensor, right: Tensor, counted: Tensor) -> RowSums:
    """Sums of the examples; all arguments but the output are of each position."""
    size, length = output.targets.shape
    targets = output.at_places(output.targets)
    rows = torch.arange(size, device=targets.device).repeat_interleave(length)
    if output.places is not None:
        rows = rows[output.places]
    columns = torch.stack([entropy.float() * mask, mask, right.float(), counted.float()], dim=1)
    sums = columns.new_zeros(size, 4).index_add_(0, rows, columns)
    ids = columns.new_zeros(output.found.shape[-1]).index_add_(0, targets, mask)
    return RowSums(sums, ids)
