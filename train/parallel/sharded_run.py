"""Checkpoints of a run that several processes share, complete or absent, for any number of processes to go on from."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from embodio.model.errors import ModelError
from embodio.model.weights.checksums import write_sums
from embodio.model.writing import WriteError, replacing_folder, write_json
from embodio.train.bundles import Bundle
from embodio.train.checkpoints.kept import SHARDS, STATE, place_of_older, prune
from embodio.train.checkpoints.run import (
    BASE,
    OPTIMISER,
    Run,
    read_whole,
    restore_run,
    run_numbers,
    run_tensors,
    run_weights,
    write_base,
)
from embodio.train.errors import TrainError
from embodio.train.identity import Identity
from embodio.train.network.lora import merged
from embodio.train.objective import Network
from embodio.train.optimisers.optimiser import optimiser_state
from embodio.train.optimisers.sharded_tensors import divided_like, whole
from embodio.train.parallel.layers import SharedLayers, in_order, out_of_order
from embodio.train.parallel.shard_files import read_shards, sharded_shapes, verify_shards, write_shards
from embodio.train.parallel.world import TrainingWorld, gathered
from embodio.train.run_config import RunConfig


@dataclass(frozen=True)
class SavedRun(Generic[Network]):
    """A run at one step, in memory of its own, so that training can go on while it is written.

    Attributes:
        tensors: the part of this process of all tensors, on the CPU.
        numbers: the rest of its state.
        run: which of its parameters are fixed, and whether their file is written.
        network: the network with averaged weights, in the first process; None in the others.
        bundle: writes it.
        config: settings of the run.
        group: of the processes, for the writing alone.
    """

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Any]
    run: Run[Network]
    network: Network | None
    bundle: Bundle[Network]
    config: RunConfig
    group: dist.ProcessGroup

    @classmethod
    def of(
        cls,
        run: Run[Network],
        bundle: Bundle[Network],
        config: RunConfig,
        world: TrainingWorld,
        shell: Network,
        shared: SharedLayers,
    ) -> SavedRun[Network]:
        """Copies a run; all processes call it.

        Args:
            run: after a step.
            bundle: writes the part that is read outside training.
            config: settings of the run.
            world: the processes.
            shell: the network without memory; gets the averaged weights in the first process.
            shared: how its layers are divided.
        """
        kept = optimiser_state(run.optimiser, run.model)
        tensors = {
            name: _in_order(name, tensor, shared).cpu().clone() for name, tensor in run_tensors(run, kept).items()
        }
        with run.averaged():
            weights: dict[str, Tensor] = {}
            for name, tensor in run.model.state_dict().items():
                gathered = whole(_in_order(name, tensor.detach(), shared))
                if world.is_first:
                    weights[name] = gathered.cpu().clone()
        if world.is_first:
            shell.load_state_dict(weights, assign=True)
        network = shell if world.is_first else None
        return cls(tensors, run_numbers(run, kept, config), run, network, bundle, config, world.writers)


def save_sharded(folder: Path, saved: SavedRun[Network], world: TrainingWorld) -> None:
    """Writes a run as a checkpoint, completely or not at all; all processes call it.

    Args:
        folder: of the checkpoint, on a disk that all processes see.
        saved: the run.
        world: the processes.

    Raises:
        WriteError: for one of the processes the disk is full, cannot be written, or reads back differently; in all of
            them, and the previous checkpoint stays.
    """
    first, group = world.is_first, saved.group
    with ExitStack() as stack:
        new, *_ = _agreed(folder, group, lambda: _begun(folder, saved, stack) if first else None)
        _agreed(folder, group, lambda: _write_part(new / SHARDS, saved))
        _agreed(folder, group, lambda: _finish(folder, new, saved, stack) if first else None)


def _begun(folder: Path, saved: SavedRun[Network], stack: ExitStack) -> Path:
    """The folder that is written, which takes its place when the stack is closed."""
    run = saved.run
    if run.fixed and not run.base and saved.network is not None:
        run.base = write_base(folder.parent / BASE, saved.network, run.fixed)
    keeps = saved.config.keep > 1 or saved.config.keep_every
    former = place_of_older(folder, folder.parent, saved.numbers["step"]) if keeps else None
    new = stack.enter_context(replacing_folder(folder, former))
    (new / SHARDS).mkdir()
    return new


def _write_part(folder: Path, saved: SavedRun[Network]) -> None:
    """Writes the part of this process, and reads it back."""
    write_shards(folder, saved.tensors, saved.group)
    verify_shards(folder, saved.tensors, saved.group)


def _finish(folder: Path, new: Path, saved: SavedRun[Network], stack: ExitStack) -> None:
    """Writes what the first process alone writes, and puts the folder into its place."""
    if saved.network is not None:
        with merged(saved.network):
            saved.bundle.write(new, saved.network)
    base = {"base": saved.run.base} if saved.run.fixed else {}
    write_json(new / STATE, {**saved.numbers, **base}, indent=2)
    parts = [f"{SHARDS}/{file.name}" for file in sorted((new / SHARDS).iterdir())]
    write_sums(new, (STATE, *parts))
    stack.close()
    prune(folder.parent, saved.numbers["step"], saved.config.keep, saved.config.keep_every)


def restore_sharded(
    folder: Path,
    run: Run[Network],
    config: RunConfig,
    older: Callable[[Path], Identity],
    world: TrainingWorld,
    shared: SharedLayers,
    verify: bool,
) -> bool:
    """Goes on from a checkpoint if there is one, whatever number of processes wrote it; see `restore_run`."""
    read = functools.partial(_read, shared=shared)
    return restore_run(folder, run, config, older, read=read, verify=verify, tidy=world.is_first)


def _groups(name: str, shared: SharedLayers) -> int:
    """Groups of divided columns of a tensor, by its name in a checkpoint; 0 for another one."""
    parts = name.split("/")
    return shared.columns.get(parts[-1], 0)


def _in_order(name: str, tensor: Tensor, shared: SharedLayers) -> Tensor:
    groups = _groups(name, shared)
    return in_order(tensor, groups) if groups and tensor.dim() == 2 else tensor


def _read(folder: Path, run: Run[Network], shared: SharedLayers) -> dict[str, Tensor]:
    """The part of this process of the tensors of a checkpoint."""
    templates = run_weights(run)
    parameters = dict(run.model.named_parameters())
    sharded = (folder / SHARDS).is_dir()
    found = {} if sharded else read_whole(folder, run)
    shapes = sharded_shapes(folder / SHARDS) if sharded else {name: one.shape for name, one in found.items()}
    own, tensors = dict[str, Tensor](), dict[str, Tensor]()
    for name, shape in shapes.items():
        template = _template(name, shape, templates, parameters)
        if template is not None:
            own[name] = template.detach()
            tensors[name] = torch.zeros_like(_in_order(name, template.detach(), shared))
        else:
            tensors[name] = torch.zeros(shape)
        if not sharded:
            tensors[name] = divided_like(found[name], tensors[name])
    if sharded:
        read_shards(folder / SHARDS, tensors)
    for name, template in own.items():
        if groups := _groups(name, shared):
            tensors[name] = out_of_order(tensors[name], template, groups)
    return tensors


def _template(
    name: str, shape: torch.Size, templates: Mapping[str, Tensor], parameters: Mapping[str, Tensor]
) -> Tensor | None:
    """The tensor of this run that is sharded like that of a name; None for one that every process has as a whole."""
    if name.startswith(OPTIMISER):
        parameter = parameters.get(name.removeprefix(OPTIMISER).partition("/")[2])
        return parameter if parameter is not None and parameter.shape == shape else None
    found = templates.get(name)
    return found if found is not None and found.shape == shape else None


def _agreed(folder: Path, group: dist.ProcessGroup, work: Callable[[], Any]) -> list[Any]:
    """The results of some work in all processes, by rank; where it fails in one, all raise the same WriteError.

    Args:
        folder: what is written.
        group: of the processes.
        work: what this one does; its result is sent to the others.
    """
    result, failure = None, None
    try:
        result = work()
    except (OSError, RuntimeError, ValueError, TypeError, ModelError, TrainError, SafetensorError) as error:
        failure = _write_error(folder, error)
    except CheckpointException as error:  # of one of the processes, in all
        failure = _write_error(folder, next((one for one, _ in error.failures.values()), error))
    outcomes = gathered((result, failure), group)
    for _, found in outcomes:
        if found is not None:
            raise found
    return [value for value, _ in outcomes]


def _write_error(folder: Path, error: BaseException) -> WriteError:
    """An error as one about the checkpoint that can be sent to the other processes."""
    if isinstance(error, WriteError):
        return WriteError(error.errno, error.strerror, str(folder))
    if isinstance(error, OSError):
        return WriteError.of(folder, error)
    said = str(error).strip().partition("\n")[0]
    return WriteError(errno.EIO, f"{type(error).__name__}: {said}", str(folder))
