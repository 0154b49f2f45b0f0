"""Pre-training of one network on a corpus of text, images, sounds and trajectories (paper, section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodio.train.experiment import Experiment, Parts
from embodio.train.experiments.pretrain.config import PretrainConfig

if TYPE_CHECKING:
    from embodio.model.network.network import UnifiedIO2


def build(config: PretrainConfig) -> Parts[UnifiedIO2]:
    """The parts of a pre-training run; see `embodio.train.experiments.pretrain.parts`."""
    from embodio.train.experiments.pretrain.parts import pretrain_parts  # loads torch

    return pretrain_parts(config)


EXPERIMENT = Experiment(
    schema=PretrainConfig,
    build=build,
    description="Pre-train a network on a corpus: hidden parts of text, images and sounds, and what is made of other "
    "parts. Run it again with the same out= to resume after an interrupt.",
    examples=(
        "embodio-train experiment=pretrain_nano data=corpus out=runs/pretrain_nano",
        "embodio-train pretrain data=corpus sources.wordnet.weight=1 targets=[text] out=runs/words",
    ),
)
