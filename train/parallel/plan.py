"""Plans: memory, operations, speed and days of a run on one GPU or many, computed from a network's counters.

Nothing is measured: operations and numbers are counted (`embodio.model.network.counters`), and the share of the peak
that a run reaches (MFU) is a setting. Communication is not modelled; what it costs is in that share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from embodio.model.config.model import ModelConfig
from embodio.model.network.counters import (
    ExampleSize,
    low_rank_cost,
    low_rank_parameters,
    network_cost,
    parameter_counts,
)
from embodio.train.errors import TrainError
from embodio.train.optimisers.config import MOMENTS

GB = 1e9
PAPER_ROW = ExampleSize(
    text=320,
    image=288,
    image_history=(128,) * 4,
    audio=64,
    audio_history=(64,) * 4,
    text_target=256,
    image_target=1024,
)
"""A full packed row of pre-training: 864 tokens in, 1280 out, half of the patches kept (paper, appendix B.4)."""
_LARGEST_TENSOR = 8
_BF16, _FLOAT = 2, 4
_COMPUTED_IN_TWO = 3  # layers gathered at one time: the current one, the next one, and the gradient of the one before


@dataclass(frozen=True)
class Machine:
    """One GPU, and how well it is used.

    Attributes:
        memory_gb: its memory.
        peak_tflops: its peak in dense bfloat16 products, in 10^12 operations a second.
        mfu: share of the peak that training reaches; operations that are done twice do not count.
    """

    memory_gb: float = 80.0
    peak_tflops: float = 989.0
    mfu: float = 0.4


@dataclass(frozen=True)
class Workload:
    """What is to be trained.

    Attributes:
        rows: packed rows in a step of all GPUs together.
        steps: optimiser steps.
        row: size of a packed row.
        optimiser: adafactor or adamw; where tensor parallelism is needed the plan takes AdamW, as training does not
            divide the second moments of Adafactor.
        average: whether a running average of the weights is kept.
        lora: rank of low-rank changes that are trained in place of the weights; 0 trains these.
    """

    rows: int = 256
    steps: int = 1_500_000
    row: ExampleSize = PAPER_ROW
    optimiser: str = "adafactor"
    average: bool = False
    lora: int = 0


@dataclass(frozen=True)
class ScalingPlan:
    """One way to train one network on a number of GPUs.

    Attributes:
        size: name of the network.
        parameters: of the network.
        gpus: number of GPUs.
        data: ranks with a batch of their own, among which the network is sharded.
        tensor: GPUs that share the layers of each of them.
        optimiser: adafactor or adamw.
        rows: packed rows that a rank has in memory at one time.
        accumulate: such batches in a step.
        checkpointing: whether activations are computed again in the backward pass.
        state_gb: weights, gradients and moments on a GPU.
        gathered_gb: weights of the layers that are being computed, in bfloat16; of one process, of all of them.
        activations_gb: what is kept for the backward pass.
        row_tflops: operations of forward and backward pass of a row, in 10^12.
        seconds: of a step.
        tokens: valid tokens in a step, inputs and targets.
        days: of the whole run.
    """

    size: str
    parameters: int
    gpus: int
    data: int
    tensor: int
    optimiser: str
    rows: int
    accumulate: int
    checkpointing: bool
    state_gb: float
    gathered_gb: float
    activations_gb: float
    row_tflops: float
    seconds: float
    tokens: int
    days: float

    @property
    def memory_gb(self) -> float:
        """All of it."""
        return self.state_gb + self.gathered_gb + self.activations_gb

    @property
    def tokens_per_second(self) -> float:
        """Valid tokens, inputs and targets, of all GPUs together."""
        return self.tokens / self.seconds


def scaling_plan(size: str, gpus: int, machine: Machine, work: Workload) -> ScalingPlan:
    """The plan with the least tensor parallelism that fits; without checkpointing, and with few batches, if possible.

    Args:
        size: name of a network.
        gpus: a divisor or a multiple of the rows.
        machine: the GPUs.
        work: what is trained.

    Raises:
        TrainError: the rows cannot be shared out evenly, or nothing fits.
        ConfigError: there is no such size, or it lacks a modality of the row.
    """
    tensor = 1
    while tensor <= (1 if work.lora else _LARGEST_TENSOR):  # low-rank changes are not divided by heads
        work = work if tensor == 1 else replace(work, optimiser="adamw")
        data = gpus // tensor
        if gpus % tensor == 0 and data <= work.rows and work.rows % data == 0:
            for checkpointing in (False, True):
                rows = work.rows // data
                while rows:
                    found = _plan(size, (data, tensor), (rows, work.rows // data // rows), checkpointing, machine, work)
                    if found.memory_gb <= machine.memory_gb:
                        return found
                    rows = rows // 2 if rows % 2 == 0 else 0
        tensor *= 2
    raise TrainError(
        f"gpus: {size} with {work.rows} rows a step cannot be trained on {gpus} GPUs of {machine.memory_gb:g} GB; take "
        "a number that shares out the rows evenly, or GPUs with more memory"
    )


def _plan(
    size: str,
    mesh: tuple[int, int],
    rows: tuple[int, int],
    checkpointing: bool,
    machine: Machine,
    work: Workload,
) -> ScalingPlan:
    config = ModelConfig.named(size)
    (data, tensor), (held, accumulate) = mesh, rows
    counts = parameter_counts(config)
    cost = low_rank_cost(config, work.row, work.lora) if work.lora else network_cost(config, work.row)
    split = counts["encoder"] + counts["decoder"]  # the others are not shared out by tensor parallelism
    total = sum(counts.values())
    trained = total - sum(counts.get(f"towers.{name}", 0) for name in ("image", "audio")) * config.freeze_vit
    if work.lora:
        trained = low_rank_parameters(config, work.lora)
    share = (split / tensor + (total - split)) / total / data
    state = _FLOAT * share * (total + trained * (1 + MOMENTS[work.optimiser] + work.average))
    layer = counts["decoder"] / config.transformer.num_decoder_layers / tensor
    gathered = _BF16 * (_COMPUTED_IN_TWO * layer + total - split)
    computed_again = work.lora and checkpointing  # then the backward pass needs no weights as they were used
    if data * tensor == 1 and not computed_again:
        gathered = _BF16 * total
    logits = sum(part.kept for name, part in cost.parts.items() if name.startswith("logits"))
    activations = _BF16 * (cost.kept(checkpointing=checkpointing) - logits) / tensor + _FLOAT * logits
    if checkpointing:
        one = max(
            cost.parts["encoder"].kept / config.transformer.num_encoder_layers,
            cost.parts["decoder"].kept / config.transformer.num_decoder_layers,
        )
        activations += _BF16 * one / tensor
    speed = machine.peak_tflops * 1e12 * machine.mfu * data * tensor
    seconds = work.rows * cost.training / speed
    if checkpointing:  # the forward pass runs twice, and only once in the operations that the MFU counts
        seconds *= 1 + cost.forward / cost.training
    return ScalingPlan(
        size=size,
        parameters=total,
        gpus=data * tensor,
        data=data,
        tensor=tensor,
        optimiser=work.optimiser,
        rows=held,
        accumulate=accumulate,
        checkpointing=checkpointing,
        state_gb=state / GB,
        gathered_gb=gathered / GB,
        activations_gb=held * activations / GB,
        row_tflops=cost.training / 1e12,
        seconds=seconds,
        tokens=work.rows * (work.row.encoder_tokens(config) + work.row.decoder_tokens),
        days=work.steps * seconds / 86400,
    )
