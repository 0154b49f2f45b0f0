"""What is measured of a batch besides its loss: how often the right action token was the most likely one."""

from __future__ import annotations

import torch

from embodio.model.loss import TargetOutput


@torch.no_grad()
def action_accuracy(output: TargetOutput, answer_length: int) -> tuple[int, int]:
    """Right and all action tokens of a batch, the end of the text not counted.

    Args:
        output: of the text target, logits [B, L, V].
        answer_length: tokens of one answer; they come first.
    """
    predicted = output.logits[:, :answer_length].argmax(dim=-1)
    right = predicted == output.targets[:, :answer_length]
    return int(right.sum()), right.numel()
