"""The training loss: per modality, the mean cross-entropy plus a penalty on the log-partition function (z-loss)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from embodio.model.errors import BatchError
from embodio.model.layers.fused import cross_entropy
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
class ModalityLoss:
    """Loss statistics over the trained positions of one modality, scalar tensors of at least float32.

    Attributes:
        cross_entropy: the mean, in nats; carries gradients.
        z_loss: the mean penalty; carries gradients.
        weight: the number of positions.
        right: number of positions where no logit exceeds the target's, without the end of the text.
        counted: number of positions without the end of the text, which a network learns immediately.
    """

    cross_entropy: Tensor
    z_loss: Tensor
    weight: Tensor
    right: Tensor
    counted: Tensor

    @property
    def accuracy(self) -> Tensor:
        """The share of right positions; 0 where there are none to count."""
        return self.right / self.counted.clamp(min=1.0)


@dataclass(frozen=True)
class LossOutput:
    """The sum over modalities of cross-entropy and z-loss, and the parts it is made of."""

    total: Tensor
    modalities: dict[str, ModalityLoss]


def compute_loss(outputs: Mapping[str, TargetOutput], z_loss: float = Z_LOSS) -> LossOutput:
    """Loss of the network's outputs: every modality counts the same, however many tokens it has.

    Args:
        outputs: as returned by `UnifiedIO2.forward`, keyed by modality.
        z_loss: factor on the mean of the squared log-partition function.

    Returns:
        Total and parts. A modality without a trained position contributes 0.

    Raises:
        BatchError: there is no output at all.
    """
    if not outputs:
        raise BatchError("there is nothing to compute a loss of; give the batch at least one target")
    modalities = {name: _modality_loss(output, z_loss) for name, output in outputs.items()}
    parts = [part.cross_entropy + part.z_loss for part in modalities.values()]
    return LossOutput(torch.stack(parts).sum(), modalities)


def _modality_loss(output: TargetOutput, z_loss: float) -> ModalityLoss:
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
    divisor = weight.clamp(min=1.0)

    def mean(values: Tensor) -> Tensor:
        return (values * mask).sum() / divisor

    return ModalityLoss(
        cross_entropy=mean(entropy),
        z_loss=z_loss * mean(log_partition.square()),
        weight=weight,
        right=(correct & counted).sum().to(entropy.dtype),
        counted=counted.sum().to(entropy.dtype),
    )
