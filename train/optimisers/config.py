"""Settings of the optimiser and its schedule, common to all experiments."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from embodio.train.command_line.ranges import COUNT, DECAY, NOT_NEGATIVE, POSITIVE, SHARE, require_ranges
from embodio.train.command_line.schema import UsageError

SCHEDULES = ("cosine", "inverse_square_root", "constant")
MOMENTS = {"adafactor": 1, "adamw": 2}
"""Optimiser -> how many numbers it keeps for each parameter; the rows and columns of Adafactor do not count."""
_OF_ADAMW = ("beta1", "beta2", "weight_decay")


@dataclass(frozen=True)
class AdafactorConfig:
    """What Adafactor alone has; the defaults are the paper's (section 3.5).

    Attributes:
        beta1: decay of the momentum; 0 keeps none, which saves its memory.
        decay: exponent of the decay of the second moment.
        clip: largest root mean square of an update before it is scaled.
        eps1: added to squared gradients.
        eps2: lower bound of a parameter's root mean square.
    """

    beta1: float = 0.9
    decay: float = 0.8
    clip: float = 1.0
    eps1: float = 1e-30
    eps2: float = 1e-3

    def __post_init__(self) -> None:
        ranges = {"decay": SHARE, "clip": POSITIVE, "eps1": POSITIVE, "eps2": NOT_NEGATIVE}
        require_ranges(self, "optimiser.adafactor.", beta1=DECAY, **ranges)


@dataclass(frozen=True)
class OptimiserConfig:
    """The optimiser, its learning rate, and the running average of the weights.

    Attributes:
        name: adamw; adafactor, as the paper trains; or a class of torch.optim, such as SGD or NAdam.
        learning_rate: peak; of schedule=inverse_square_root the factor on 1 / sqrt(step). Adafactor multiplies it by
            the root mean square of each parameter.
        schedule: what follows the linear warm-up: cosine, half a cosine down to `final`; inverse_square_root, as the
            paper trains; or constant.
        final: share of the peak at the last step, of a cosine.
        warmup: steps until the peak.
        rates: factors on the learning rate of some parameters, by patterns of their names, of which the first that
            matches counts: rates={towers.*:0.1}.
        beta1: decay of the first moment, of AdamW.
        beta2: decay of the second moment, of AdamW.
        weight_decay: of AdamW, on matrices only; norms, embeddings and position tables are not decayed.
        adafactor: settings of Adafactor.
        options: arguments of another class of torch.optim, such as optimiser.options.momentum=0.9; its weight_decay
            is on matrices only, too.
        clip: largest global norm of the gradient (paper, section 3.2).
        ema: decay of the running average of the weights, which the agent uses; 0 for none.
    """

    name: str = "adamw"
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    final: float = 0.01
    warmup: int = 200
    rates: dict[str, float] = field(default_factory=dict)
    beta1: float = 0.9
    beta2: float = 0.98
    weight_decay: float = 0.05
    adafactor: AdafactorConfig = field(default_factory=AdafactorConfig)
    options: dict[str, float] = field(default_factory=dict)
    clip: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        decays = {"beta1": DECAY, "beta2": DECAY, "ema": DECAY, "weight_decay": NOT_NEGATIVE}
        require_ranges(self, "optimiser.", learning_rate=POSITIVE, final=SHARE, warmup=COUNT, clip=POSITIVE, **decays)
        if self.schedule not in SCHEDULES:
            raise UsageError(f"optimiser.schedule: got {self.schedule!r}, expected one of {', '.join(SCHEDULES)}")
        for pattern, factor in self.rates.items():
            if factor not in NOT_NEGATIVE:
                raise UsageError(f"optimiser.rates: got {factor} for {pattern}, expected {NOT_NEGATIVE}")
        self._require_own_settings()

    def _require_own_settings(self) -> None:
        """Refuses settings of an optimiser other than the one that is named, which would have no effect."""
        usual = {one.name: one.default for one in fields(self)}
        given = {key: "adamw" for key in _OF_ADAMW if getattr(self, key) != usual[key]}
        if self.adafactor != AdafactorConfig():
            given["adafactor"] = "adafactor"
        for key, owner in given.items():
            if self.name != owner:
                raise UsageError(f"optimiser.{key}: it is a setting of {owner}, but optimiser.name={self.name}")
        if self.options and self.name in ("adamw", "adafactor"):
            raise UsageError(f"optimiser.options: {self.name} has settings of its own instead")
