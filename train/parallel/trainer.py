"""ParallelTrainer: the trainer of a run that several processes share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import Tensor, nn

from embodio.agent.planning.precision import require_compiler
from embodio.datasets.errors import DatasetError, ExampleError
from embodio.datasets.files.folder_lock import sole_user
from embodio.model.network.batch import Batch
from embodio.train.checkpoints.kept import CHECKPOINT, fall_back
from embodio.train.checkpoints.run import first_run
from embodio.train.errors import TrainError
from embodio.train.experiment import Parts
from embodio.train.interruption import exit_code
from embodio.train.loop import Trainer
from embodio.train.network.lora import adapt
from embodio.train.network.recomputation import recompute
from embodio.train.objective import Figure, Network, Outcome, WeightedObjective, loss_weights
from embodio.train.observers.log_and_bar import LogAndBar
from embodio.train.observers.observer import StepReport
from embodio.train.observers.report import Report
from embodio.train.optimisers.schedule import release_towers
from embodio.train.parallel.layers import SharedLayers, add_partial_gradients
from embodio.train.parallel.observing import KeptFailure, rows_of_all
from embodio.train.parallel.sharded_run import SavedRun, restore_sharded, save_sharded
from embodio.train.parallel.sharding import clip_global_norm, give_back, shard, shell_of
from embodio.train.parallel.world import TENSOR, TrainingWorld, joined_world
from embodio.train.run_config import RunConfig
from embodio.train.validation import Line

_FAILED = 1 << 16
"""In place of the number of a signal: a process has failed."""


@dataclass
class ParallelTrainer(Trainer[Network]):
    """Each process has a part of the network and computes its part of every batch; results are those of one process.

    Losses are divided by counts over the whole batch, gradients are added over all processes and clipped by their
    common norm, and the first process writes the log. Losses differ from those of one process only by the
    order of sums.

    Attributes:
        world: the processes.
        shell: the network without memory, in which the first process writes its bundle.
        shared: how layers are divided among the processes that share them.
        told: the observers of this process.
    """

    world: TrainingWorld = field(kw_only=True)
    shell: Network = field(kw_only=True)
    shared: SharedLayers = field(kw_only=True)
    told: KeptFailure = field(init=False)
    _writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checkpoint"), init=False)
    _writing: Future[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.told = KeptFailure(self.observers)
        self.observers = (self.told,)

    @property
    def parts(self) -> int:
        """Parts of a batch."""
        return self.world.ranks

    @property
    def processes(self) -> int:
        """Processes of the run."""
        return self.world.mesh.size()

    def step(self, *batches: Batch) -> StepReport:
        """As that of `Trainer`; the report is of all parts, but for `batches`."""
        report = super().step(*batches)
        rows, positions = rows_of_all(self.world, report.outcome.rows, report.positions)
        return dataclasses.replace(report, outcome=report.outcome._replace(rows=rows), positions=positions)

    def _weights(self, batches: Sequence[Batch]) -> Mapping[str, Tensor] | None:
        """Counts over the parts of all processes."""
        return self.world.summed(loss_weights(self.objective, self.run.model, batches))

    def _together(self, outcomes: Sequence[Outcome]) -> Outcome:
        """The outcome of the whole batch."""
        own = super()._together(outcomes)
        values = {"loss": own.loss, "weight": own.weight}
        for name, figure in own.figures.items():
            values |= {f"total/{name}": figure.total, f"divisor/{name}": figure.divisor}
        found = self.world.summed(values)
        names = [name.removeprefix("total/") for name in found if name.startswith("total/")]
        figures = {name: Figure(found[f"total/{name}"], found[f"divisor/{name}"]) for name in names}
        return Outcome(found["loss"], found["weight"], figures, own.rows)

    def _part(self, part: int) -> int:
        """Other numbers for the dropout of each process."""
        return self.config.accumulate * self.world.rank + part

    def _clip(self) -> float:
        """Over the parts of all processes."""
        add_partial_gradients(self.run.model, self.shared, self.world.mesh.get_group(TENSOR))
        return clip_global_norm(self.run.model.parameters(), self.config.optimiser.clip)

    def _until_signal(self, stream: Iterator[Batch]) -> Iterator[Batch]:
        """The batches until any of the processes has a signal or fails; all of them stop at the same one.

        Raises:
            DatasetError, OSError: what one of them, or an observer of the first, has raised; the same in all.
        """
        while True:
            batch: Batch | None = None
            failure: DatasetError | OSError | None = self.told.failure
            try:
                batch = next(stream, None)
            except (DatasetError, OSError) as error:
                failure = failure or error
            found = self.world.largest(_FAILED if failure is not None else self.interruption.number or 0)
            if found == _FAILED:
                self._end_together(failure)
            if found:
                self.interruption.number = found
                return
            if batch is None:
                return
            yield batch

    def _end_together(self, failure: Exception | None) -> None:
        """Raises the first failure of any process in all of them, once."""
        self.told.failure = None
        if (found := self.world.failed(failure)) is not None:
            raise found

    def validate(self, on_damage: Callable[[ExampleError], None] = lambda error: None) -> dict[str, Line]:
        """As that of `Trainer`; every process computes the same."""
        try:
            return super().validate(on_damage)
        finally:
            give_back(self.run.model)

    def _save(self) -> None:
        """Writes a checkpoint, unless this step has one; goes on meanwhile if the settings say so."""
        if self._saved == self.run.step:
            return
        self._finish_writing()
        saved = SavedRun.of(self.run, self.bundle, self.config, self.world, self.shell, self.shared)
        self._saved = self.run.step
        self._writing = self._writer.submit(save_sharded, Path(self.config.out) / CHECKPOINT, saved, self.world)
        if not self.config.parallel.asynchronous:
            self._finish_writing()

    def _finish_writing(self) -> None:
        """Waits for a checkpoint that is being written; raises what went wrong."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()
            self._report_saved()

    def train(self) -> bool:
        """As that of `Trainer`; the last checkpoint is complete when it returns."""
        done = super().train()
        self._finish_writing()
        self._end_together(self.told.failure)
        return done


def parallel_trainer(parts: Parts[Any], config: RunConfig, world: TrainingWorld) -> ParallelTrainer[Any]:
    """The trainer of an experiment's parts at step 0, in each process.

    Args:
        parts: with the same first weights everywhere.
        config: settings of the run.
        world: the processes.

    Raises:
        TrainError: something of these settings cannot be shared out; the message names it.
    """
    refuse_unshareable(config)
    if not isinstance(parts.objective, WeightedObjective):
        raise TrainError(
            f"parallel: {type(parts.objective).__name__} cannot add up the parts of a batch; use one process"
        )
    model: nn.Module = parts.network
    release_towers(model, config.freeze)
    fixed = adapt(model, config.lora, config.seed) if config.lora.rank else frozenset[str]()
    shell = shell_of(model)
    recompute(model, config.recompute)
    shared = shard(model.to(world.device), world)
    run = first_run(model, parts.identity, config, fixed)
    share = getattr(parts.batches, "shared_out", None)
    if share is None:
        raise TrainError(f"parallel: {type(parts.batches).__name__} cannot make a part of a batch; use one process")
    return ParallelTrainer(
        run,
        share(world.rank, world.ranks),
        parts.objective,
        parts.bundle,
        parts.validators,
        config,
        observers=(LogAndBar(), *parts.observers, Report()) if world.is_first else (),
        world=world,
        shell=shell,
        shared=shared,
    )


def train_together(config: RunConfig, parts_of: Callable[[RunConfig], Parts[Any]]) -> int:
    """Runs or resumes a training in one of several processes that torchrun started.

    Args:
        config: settings of the run.
        parts_of: makes the parts of its experiment.

    Returns:
        The exit code: 0, or 128 and the number of the signal that stopped the run.

    Raises:
        TrainError: another program trains into the folder, another process of this one ended, or something cannot be
            shared out; and as `parts_of` and `Trainer.train`.
    """
    with ExitStack() as stack:
        world = stack.enter_context(joined_world(config.parallel, config.device))
        if world.is_first:
            stack.enter_context(sole_user(Path(config.out), "training into", TrainError))
        world.meet()
        console = Console(highlight=False, quiet=not world.is_first)
        newest = fall_back(Path(config.out)) if world.is_first else None
        if newest and newest.said:
            console.print(newest.said, markup=False)
        world.meet()
        parts = parts_of(config)
        trainer = parallel_trainer(parts, config, world)
        folder = Path(config.out) / CHECKPOINT
        verify = newest is not None and not newest.sound
        goes_on = restore_sharded(folder, trainer.run, config, parts.older_identity, world, trainer.shared, verify)
        if goes_on:
            console.print(f"going on from step {trainer.run.step} of {folder} to step {config.steps}")
        for note in parts.notes:
            console.print(note, markup=False)
        console.print(f"{world.ranks} parts of a batch, {world.mesh}")
        if parts.samples is not None:
            console.print("report.html has no samples: the network is in parts; one process makes them")
        if config.compile:
            require_compiler()
            trainer.run.model.compile()
        done = trainer.train()
        console.print(f"{'finished' if done else 'stopped'} at step {trainer.run.step}: {folder}")
        if not done:
            console.print("run the same command again to go on")
    return exit_code(trainer.interruption.number, done=done)


def refuse_unshareable(config: RunConfig) -> None:
    """Raises TrainError, which names the key, for settings that several processes cannot carry out."""
    if config.precision == "float16":
        raise TrainError("precision: float16 needs a scale that several processes cannot share; choose bfloat16")
    if config.lora.rank and config.parallel.tensor > 1:
        raise TrainError("parallel.tensor: low-rank changes are not divided by heads; set parallel.tensor=1")
    if config.parallel.tensor > 1 and config.optimiser.name == "adafactor":
        raise TrainError(
            "parallel.tensor: Adafactor's rows of second moments are not divided by heads; set parallel.tensor=1, or "
            "optimiser.name=adamw"
        )
