"""Instruction tuning of one network on the tasks of the catalogue (paper, section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodio.train.experiment import Experiment, Parts
from embodio.train.experiments.instruct.config import InstructConfig

if TYPE_CHECKING:
    from embodio.model.network.network import UnifiedIO2


def build(config: InstructConfig) -> Parts[UnifiedIO2]:
    """The parts of an instruction-tuning run; see `embodio.train.experiments.instruct.parts`."""
    from embodio.train.experiments.instruct.parts import instruct_parts  # loads torch

    return instruct_parts(config)


EXPERIMENT = Experiment(
    schema=InstructConfig,
    build=build,
    description="Tune a network on tasks with instructions: annotated data of the catalogue or your own, and data of "
    "pre-training carried on. Run it again with the same out= to resume after an interrupt.",
    examples=(
        "embodio-train experiment=instruct_paper data=ROOT init=runs/pretrain/last out=runs/instruct",
        "embodio-train instruct data=ROOT tasks=[refcoco,vqa_v2] missing=error targets=[text] out=runs/two",
    ),
)
