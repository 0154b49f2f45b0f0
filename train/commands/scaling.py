"""`embodio-train scaling`: memory, speed and days of a run on one GPU or many, as a table in Markdown."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, POSITIVE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.errors import TrainError
from embodio.train.optimisers.config import MOMENTS

if TYPE_CHECKING:  # a help page needs no torch
    from embodio.train.parallel.plan import ScalingPlan

_COLUMNS = (
    "size",
    "GPUs",
    "data x tensor",
    "optimiser",
    "rows x batches",
    "again",
    "GB a GPU",
    "s a step",
    "tokens/s",
    "days",
)


@dataclass(frozen=True)
class ScalingConfig:
    """Settings of a plan; the defaults are the paper's pre-training on GPUs of the kind H100.

    Attributes:
        sizes: names of networks.
        gpus: numbers of GPUs.
        memory_gb: memory of a GPU.
        peak_tflops: peak of a GPU in dense bfloat16 products, 10^12 operations a second.
        mfu: share of the peak that training reaches.
        rows: packed rows in a step, of two examples each.
        steps: optimiser steps.
        optimiser: adafactor or adamw; where layers are shared out (tensor above 1) it is adamw.
        average: whether a running average of the weights is kept.
        lora: rank of low-rank changes that are trained in place of the weights; 0 trains these.
        targets: what is written in a row: text, 256 tokens, and image, 1024 codes.
    """

    sizes: tuple[str, ...] = ("large", "xl", "xxl")
    gpus: tuple[int, ...] = (8, 32, 128, 512)
    memory_gb: float = 80.0
    peak_tflops: float = 989.0
    mfu: float = 0.4
    rows: int = 256
    steps: int = 1_500_000
    optimiser: str = "adafactor"
    average: bool = False
    lora: int = 0
    targets: tuple[str, ...] = ("text", "image")

    def __post_init__(self) -> None:
        require_ranges(self, memory_gb=POSITIVE, peak_tflops=POSITIVE, mfu=POSITIVE)
        require_ranges(self, rows=AT_LEAST_ONE, steps=AT_LEAST_ONE, lora=COUNT)
        if not 0 < self.mfu <= 1:
            raise UsageError(f"mfu: got {self.mfu}, expected a share of the peak, at most 1")
        if not self.gpus or min(self.gpus) < 1:
            raise UsageError(f"gpus: got {list(self.gpus)}, expected numbers of at least 1")
        if self.optimiser not in MOMENTS:
            raise UsageError(f"optimiser: got {self.optimiser!r}, expected one of {', '.join(MOMENTS)}")
        if not self.targets or not set(self.targets) <= {"text", "image"}:
            raise UsageError(f"targets: got {list(self.targets)}, expected text, image or both")


def scaling(config: ScalingConfig) -> None:
    """Prints the table."""
    sys.stdout.write(scaling_table(config) + "\n")


def scaling_table(config: ScalingConfig) -> str:
    """A line for each size and number of GPUs, in Markdown.

    Raises:
        ModelError: there is no such size.
    """
    from embodio.train.parallel.plan import PAPER_ROW, Machine, Workload, scaling_plan

    machine = Machine(config.memory_gb, config.peak_tflops, config.mfu)
    text, image = PAPER_ROW.text_target, PAPER_ROW.image_target
    row = dataclasses.replace(
        PAPER_ROW, text_target=text * ("text" in config.targets), image_target=image * ("image" in config.targets)
    )
    work = Workload(config.rows, config.steps, row, config.optimiser, config.average, config.lora)
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---" * 1 + "|---:" * (len(_COLUMNS) - 1) + "|"]
    for size in config.sizes:
        for gpus in config.gpus:
            try:
                cells = _cells(scaling_plan(size, gpus, machine, work))
            except TrainError:
                cells = [size, str(gpus), "does not fit", *[""] * (len(_COLUMNS) - 3)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(found: ScalingPlan) -> list[str]:
    return [
        f"{found.size} ({found.parameters / 1e9:.1f} B, {found.row_tflops:.1f} TFLOP a row)",
        str(found.gpus),
        f"{found.data} x {found.tensor}",
        found.optimiser,
        f"{found.rows} x {found.accumulate}",
        "yes" if found.checkpointing else "no",
        f"{found.memory_gb:.0f} ({found.state_gb:.0f} + {found.gathered_gb:.0f} + {found.activations_gb:.0f})",
        f"{found.seconds:.2f}",
        f"{found.tokens_per_second:,.0f}",
        f"{found.days:.1f}",
    ]


def main(argv: Sequence[str]) -> int:
    """Entry point; returns the exit code."""
    return run_command(
        ScalingConfig,
        scaling,
        argv,
        prog="embodio-train scaling",
        description="Plan a run: memory, speed and days, computed from the counters of the network. "
        "Communication is not modelled: mfu is the share of the peak that you expect.",
        examples=(
            "embodio-train scaling",
            "embodio-train scaling sizes=[xl] gpus=[64] mfu=0.35 memory_gb=141",
            "embodio-train scaling gpus=[1,8] rows=16 steps=2000 optimiser=adamw average=true targets=[text] lora=16",
        ),
        user_errors=(TrainError, ModelError),
    )
