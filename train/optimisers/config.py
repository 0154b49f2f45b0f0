"""Settings of the optimiser and its schedule, common to all experiments."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.train.command_line.ranges import COUNT, DECAY, NOT_NEGATIVE, POSITIVE, SHARE, require_ranges


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW with linear warm-up and cosine decay.

    Attributes:
        learning_rate: peak.
        final: share of the peak at the last step.
        warmup: steps until the peak.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        weight_decay: on matrices only; norms, embeddings and position tables are not decayed.
        clip: largest global norm of the gradient (paper, section 3.2).
        ema: decay of the running average of the weights, which the agent uses; 0 for none.
    """

    learning_rate: float = 1e-3
    final: float = 0.01
    warmup: int = 200
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        decays = {"beta1": DECAY, "beta2": DECAY, "ema": DECAY, "weight_decay": NOT_NEGATIVE}
        require_ranges(self, "optimiser.", learning_rate=POSITIVE, final=SHARE, warmup=COUNT, clip=POSITIVE, **decays)
