"""What is measured of a batch besides its loss: how often the right action token was the most likely one."""

from __future__ import annotations

import torch

from embodio.model.loss import TargetOutput
from embodio.model.vocabulary import EOS_ID


@torch.no_grad()
def action_accuracy(output: TargetOutput) -> tuple[int, int]:
    """Right and all action tokens of a batch, the end of the text not counted.

    Args:
        output: of the text target, logits [B, L, V].
    """
    right, counted = output.logits.argmax(dim=-1) == output.targets, output.targets != EOS_ID
    if output.loss_mask is not None:
        counted = counted & (output.loss_mask != 0)
    return int((right & counted).sum()), int(counted.sum())
