"""Common settings of all training runs; the schema of each experiment adds its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, NOT_NEGATIVE, SHARE, require_ranges
from embodio.train.command_line.schema import UsageError
from embodio.train.observers.config import GuardConfig
from embodio.train.observers.sinks import sink_names
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.parallel.config import ParallelConfig

if TYPE_CHECKING:  # a help page needs no torch
    from embodio.datasets.stream.packing import Capacity
    from embodio.model.config.model import ModelConfig

PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class PackingConfig:
    """Several examples in one row of the transformer, without the padding between them (paper, section 3.4).

    Losses and gradients are those of the unpacked batch, up to rounding.

    Attributes:
        enabled: pack the batches, those of validation too.
        encoder: tokens of inputs that a row holds; 0 takes two of the longest examples that the network can read.
        decoder: tokens of targets that a row holds; 0 takes two of the longest that it can write.
        examples: most examples of a row, 2 for pairs; 0 for any number.
        block: examples that are packed together, a divisor of batch_size; 0 for all that a process makes for a step.
    """

    enabled: bool = False
    encoder: int = 0
    decoder: int = 0
    examples: int = 0
    block: int = 0

    def __post_init__(self) -> None:
        require_ranges(self, "packing.", encoder=COUNT, decoder=COUNT, examples=COUNT, block=COUNT)

    def of_network(self, network: ModelConfig) -> tuple[ModelConfig, Capacity] | None:
        """The setting `packing` of `BatchStream` and `evaluation_batches` for a network; None if it is off."""
        if not self.enabled:
            return None
        from embodio.datasets.stream.packing import Capacity, longest_example

        encoder, decoder = longest_example(network)
        held = self.encoder or 2 * encoder, self.decoder or 2 * decoder
        return network, Capacity(*held, self.examples or None, self.block or None)


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank changes that are trained in place of the weights.

    Attributes:
        rank: of the change of each linear map; 0 trains the network itself.
        alpha: the change is multiplied by alpha / rank; 0 is the rank.
        targets: linear maps that are changed, by patterns of their names.
        train: parameters that are trained whole besides, by patterns of their names, such as [text_embedding.*].
    """

    rank: int = 0
    alpha: float = 0.0
    targets: tuple[str, ...] = ("encoder.*", "decoder.*")
    train: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_ranges(self, "lora.", rank=COUNT, alpha=NOT_NEGATIVE)


@dataclass(frozen=True)
class RunConfig:
    """The common settings.

    Attributes:
        out: folder for log, plot and checkpoint; a run that was interrupted there resumes.
        seed: of initial weights, order, augmentation.
        steps: optimiser steps. More steps than before extend a run; its learning rate is from then on that of a run of
            the new length, so past the old end it rises again, without a new warm-up.
        batch_size: examples in a batch.
        accumulate: batches in a step, one after another through the network; the gradient is that of all of them in one
            batch, in the memory of one.
        optimiser: settings of the optimiser.
        packing: several examples in one row of the transformer.
        freeze: parameters that do not learn at first, by patterns of their names, of which the first that matches
            counts, with the share of the steps after which they do: freeze={towers.*:0.9}; 1 is for good.
        lora: low-rank changes of the network instead of training it; the checkpoint holds the merged network.
        recompute: modules whose activations are computed again in the backward pass rather than kept, by patterns of
            their names: [encoder.layers.*, decoder.layers.*, towers.*.blocks.*]. Slower, in less memory, with equal
            gradients.
        parallel: how processes that torchrun starts share the run.
        device: cpu, cuda, cuda:1, ...
        precision: float32; or bfloat16 or float16 for autocast, the latter with a scale on the loss that adapts.
        threads: of the matrix products; 0 takes OMP_NUM_THREADS, or 2.
        workers: processes that make batches ahead of time.
        loader_memory_mb: shared memory for batches that workers have ready, all of them together.
        damaged_limit: damaged episodes and records that are skipped; one more stops the run. Intact ones that give no
            example, such as a picture of 6 x 3 pixels, are skipped without a limit.
        compile: compile the network (needs a C++ compiler on a CPU); results are then not bit-identical to eager ones.
        log_every: steps between lines of the log.
        validate_every: steps between validations.
        checkpoint_every: steps between checkpoints.
        keep: newest checkpoints that are kept; a run falls back to the one before if the newest is damaged.
        keep_every: checkpoints of multiples of this many steps are kept too; 0 for none.
        sinks: where the lines of the log go besides log.jsonl: tensorboard, wandb, trackio; each needs its extra.
        guard: what happens where a loss is not a number or jumps up.
        stop_after: stop after this many steps in this session, with a checkpoint; 0 trains to the end.
    """

    packs: ClassVar[bool] = False
    """Whether the stage can pack several examples in one row."""
    free_on_resume: ClassVar[tuple[str, ...]] = (
        "out",
        "threads",
        "workers",
        "loader_memory_mb",
        "damaged_limit",
        "log_every",
        "validate_every",
        "checkpoint_every",
        "keep",
        "keep_every",
        "sinks",
        "stop_after",
        "parallel.*",
    )
    """Settings that may change when a run resumes, because they do not change its results; `*` is any name."""

    out: str
    seed: int = 0
    steps: int = 6000
    batch_size: int = 64
    accumulate: int = 1
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    packing: PackingConfig = field(default_factory=PackingConfig)
    freeze: dict[str, float] = field(default_factory=dict)
    lora: LoraConfig = field(default_factory=LoraConfig)
    recompute: tuple[str, ...] = ()
    parallel: ParallelConfig = field(default_factory=ParallelConfig)
    device: str = "cpu"
    precision: str = "float32"
    threads: int = 0
    workers: int = 1
    loader_memory_mb: int = 1024
    damaged_limit: int = 100
    compile: bool = False
    log_every: int = 20
    validate_every: int = 500
    checkpoint_every: int = 250
    keep: int = 2
    keep_every: int = 0
    sinks: tuple[str, ...] = ()
    guard: GuardConfig = field(default_factory=GuardConfig)
    stop_after: int = 0

    def __post_init__(self) -> None:
        counts = ("steps", "batch_size", "accumulate", "loader_memory_mb", "log_every", "validate_every")
        require_ranges(self, "", **dict.fromkeys((*counts, "checkpoint_every", "keep"), AT_LEAST_ONE))
        require_ranges(
            self, seed=COUNT, threads=COUNT, workers=COUNT, damaged_limit=COUNT, stop_after=COUNT, keep_every=COUNT
        )
        if self.precision not in PRECISIONS:
            raise UsageError(f"precision: got {self.precision!r}, expected one of {', '.join(PRECISIONS)}")
        for pattern, share in self.freeze.items():
            if share not in SHARE:
                raise UsageError(f"freeze: got {share} for {pattern}, expected {SHARE}")
        if self.packing.enabled and not self.packs:
            raise UsageError("packing: this stage has no transformer whose rows could be packed; leave it out")
        if self.packing.block and self.batch_size % self.packing.block:
            raise UsageError(
                f"packing.block: got {self.packing.block}, expected a divisor of batch_size={self.batch_size}"
            )
        if self.compile and self.packing.enabled and self.device == "cpu":
            raise UsageError(
                "compile: packed examples have other lengths in each batch, for which a CPU would compile each time; "
                "leave out compile or packing"
            )
        unknown = sorted(set(self.sinks) - set(sink_names()))
        if unknown:
            raise UsageError(f"sinks: there is no {', '.join(unknown)}; there are {', '.join(sink_names())}")

    @classmethod
    def upgraded(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """A checkpoint's settings, in today's keys."""
        return dict(saved)
