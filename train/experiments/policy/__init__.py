"""Training of a policy on trajectories, from scratch or from the weights of another run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodio.agent.errors import AgentError
from embodio.train.config import TrainConfig
from embodio.train.experiment import Experiment, Parts

if TYPE_CHECKING:
    from embodio.model.network.network import UnifiedIO2


def build(config: TrainConfig) -> Parts[UnifiedIO2]:
    """The parts of a policy run; see `embodio.train.experiments.policy.parts`."""
    from embodio.train.experiments.policy.parts import policy_parts  # loads torch, which a help page need not wait for

    return policy_parts(config)


EXPERIMENT = Experiment(
    schema=TrainConfig,
    build=build,
    description="Train a policy on trajectories: one data set or a mixture, one task or several. Run it again with "
    "the same out= to resume after an interrupt.",
    examples=(
        "embodio-train experiment=lift data=data/lift out=runs/lift",
        "embodio-train experiment=mixture out=runs/mixture sources.calm.weight=3",
        "embodio-train data=data/mine init=runs/lift/checkpoint out=runs/mine",
        "embodio-train data=data/lift out=runs/both tasks.next_action=0.8 tasks.instruction_from_video=0.2",
    ),
    errors=(AgentError,),
)
