"""What is measured of a batch besides its loss: how often the right text token was the most likely one."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from embodio.model.network.loss import TargetOutput
from embodio.model.tokens.vocabulary import EOS_ID


@torch.no_grad()
def text_accuracy(outputs: Mapping[str, TargetOutput]) -> tuple[int, int]:
    """Right and all text tokens of a batch, the end of the text not counted.

    Args:
        outputs: of the network; the text target, if there is one, has logits [B, L, V].
    """
    output = outputs.get("text")
    if output is None:
        return 0, 0
    right, counted = output.logits.argmax(dim=-1) == output.targets, output.targets != EOS_ID
    if output.loss_mask is not None:
        counted = counted & (output.loss_mask != 0)
    return int((right & counted).sum()), int(counted.sum())
