"""The training loss: per modality, the mean cross-entropy plus a penalty on the log-partition function (z-loss)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import BatchError
from embodio.model.layers.fused import cross_entropy
from embodio.model.network.batch import Batch
from embodio.model.tokens.vocabulary import EOS_ID

Z_LOSS = 1e-4


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
        weight: the number of positions.
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
    outputs: Mapping[str, TargetOutput], z_loss: float = Z_LOSS, weights: Mapping[str, Tensor] | None = None
) -> LossOutput:
    """Loss of the network's outputs: every modality counts the same, however many tokens it has.

    Args:
        outputs: as returned by `UnifiedIO2.forward`, keyed by modality.
        z_loss: factor on the mean of the squared log-partition function.
        weights: trained positions of each modality in all batches of a step (`trained_positions`), by which sums are
            divided, so that the losses of the batches add up to that of one large batch; None divides by their own.

    Returns:
        Total and parts. A modality without a trained position contributes 0.

    Raises:
        BatchError: there is no output at all.
    """
    if not outputs:
        raise BatchError("there is nothing to compute a loss of; give the batch at least one target")
    weights = weights or {}
    modalities = {name: _modality_loss(output, z_loss, weights.get(name)) for name, output in outputs.items()}
    parts = [part.cross_entropy + part.z_loss for part in modalities.values()]
    return LossOutput(torch.stack(parts).sum(), modalities)


def trained_positions(batch: Batch, lengths: Mapping[str, int]) -> dict[str, Tensor]:
    """Number of trained positions of each target modality of a batch, as `compute_loss` will count them.

    Args:
        batch: as given to `UnifiedIO2.forward`.
        lengths: modality -> tokens that its tokeniser makes of a raw target.

    Returns:
        Scalars float32, on the device of the batch.
    """
    found: dict[str, Tensor] = {}
    for name, length in lengths.items():
        mask = next((batch[key] for key in (f"targets/{name}/loss_mask", f"targets/{name}/mask") if key in batch), None)
        ids = next((batch[key] for key in (f"targets/{name}/targets", f"targets/{name}/tokens") if key in batch), None)
        raw = batch.get(f"targets/{name}/{name}")
        if mask is not None:
            found[name] = (mask != 0).sum().float()
        elif ids is not None:
            found[name] = torch.tensor(float(ids.numel()), device=ids.device)
        elif raw is not None:
            found[name] = torch.tensor(float(raw.shape[0] * length), device=raw.device)
    return found


def _modality_loss(output: TargetOutput, z_loss: float, weight_of_all: Tensor | None) -> ModalityLoss:
    logits, targets = output.found.flatten(0, -2), output.at_places(output.targets)
    entropy, log_partition, correct = cross_entropy(logits, targets)
    counted = targets != EOS_ID
    if output.loss_mask is None:
        weight = entropy.new_tensor(float(entropy.numel()))
        mask = entropy.new_ones(())
    else:
        mask = output.at_places(output.loss_mask).to(entropy.dtype)
        weight = mask.sum()
        counted = counted & (mask != 0)
    divisor = (weight if weight_of_all is None else weight_of_all.to(entropy)).clamp(min=1.0)

    def mean(values: Tensor) -> Tensor:
        return (values * mask).sum() / divisor

    return ModalityLoss(
        cross_entropy=mean(entropy),
        z_loss=z_loss * mean(log_partition.square()),
        weight=weight,
        right=(correct & counted).sum().to(entropy.dtype),
        counted=counted.sum().to(entropy.dtype),
        rows=_row_sums(output, entropy.detach(), mask, correct & counted, counted),
    )


@torch.no_grad()
def _row_sums(output: TargetOutput, entropy: Tensor, mask: Tensor, right: Tensor, counted: Tensor) -> RowSums:
    """Sums of the examples; all arguments but the output are of each position, or one number for all."""
    size, length = output.targets.shape
    targets = output.at_places(output.targets)
    rows = torch.arange(size, device=targets.device).repeat_interleave(length)
    if output.places is not None:
        rows = rows[output.places]
    trained = mask.expand(len(targets)).float()
    columns = torch.stack([entropy.float() * trained, trained, right.float(), counted.float()], dim=1)
    sums = columns.new_zeros(size, 4).index_add_(0, rows, columns)
    ids = columns.new_zeros(output.found.shape[-1]).index_add_(0, targets, trained)
    return RowSums(sums, ids)
