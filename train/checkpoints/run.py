"""Runs: the state of training, saved into a checkpoint after any step and restored bit for bit."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from embodio.model.errors import ConfigError
from embodio.model.weights.checksums import sha256_of, write_sums
from embodio.model.weights.weight_files import write_tensors
from embodio.model.writing import WriteError, replacing_folder, write_json
from embodio.train.bundles import Bundle
from embodio.train.checkpoints.kept import (
    SHARDS,
    STATE,
    TENSORS,
    check_files,
    damaged,
    place_of_older,
    prune,
    read_state,
    settle,
)
from embodio.train.errors import ResumeError, TrainError
from embodio.train.identity import (
    Identity,
    architecture,
    libraries,
    require_same_inputs,
    setting_differences,
    with_later_fields,
)
from embodio.train.network.lora import merged
from embodio.train.objective import Network
from embodio.train.optimisers.optimiser import (
    State,
    WeightAverage,
    make_optimiser,
    optimiser_state,
    restore_optimiser,
)
from embodio.train.optimisers.sharded_tensors import divided_like, same_bits
from embodio.train.run_config import RunConfig

BASE = "base.safetensors"
"""Next to the checkpoint of a run with fixed parameters: their values, written once."""
OPTIMISER = "optimiser/"
"""Begins the names of the optimiser's tensors: optimiser/<its name>/<parameter>."""
_OLD_MOMENTS = ("exp_avg/", "exp_avg_sq/")
"""The same of AdamW in checkpoints that hold no other optimiser."""


class Stateful(Protocol):
    """A part of training whose state is a few numbers."""

    def state_dict(self) -> Mapping[str, Any]:
        """The state, as plain JSON values."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Takes a state."""


@dataclasses.dataclass
class Run(Generic[Network]):
    """The state of training.

    Attributes:
        model: the network.
        optimiser: its optimiser.
        average: the running average of the weights, or None.
        step: optimiser steps done; the next batch is number `step`, so this one integer is the state of the data.
        identity: of its inputs, see `embodio.train.identity`.
        parts: name -> what else has a state, such as a guard.
        fixed: names of parameters that no step changes and that are not part of the saved state, as under low-rank
            changes; they are written once, next to the checkpoint.
        base: sha256 of the file of those, once it is written or read.
    """

    model: Network
    optimiser: torch.optim.Optimizer
    average: WeightAverage | None
    step: int = 0
    identity: Identity = dataclasses.field(default_factory=dict)
    parts: dict[str, Stateful] = dataclasses.field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    base: str = ""

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside the block the network has the averaged weights, if there is an average."""
        if self.average is not None:
            self.average.swap()
        try:
            yield
        finally:
            if self.average is not None:
                self.average.swap()


def first_run(
    model: Network, identity: Identity, config: RunConfig, fixed: frozenset[str] = frozenset()
) -> Run[Network]:
    """A run at step 0.

    Args:
        model: with its first weights, on its device.
        identity: of the inputs of the experiment; the libraries and the network's architecture are added.
        config: settings of the run.
        fixed: see `Run`.

    Raises:
        TrainError: a setting names parameters that the network does not have, or an optimiser that there is not.
    """
    average = WeightAverage(model, config.optimiser.ema, fixed) if config.optimiser.ema else None
    optimiser = make_optimiser(model, config.optimiser)
    identity = {**identity, "libraries": libraries(), **architecture(model)}
    return Run(model, optimiser, average, identity=identity, fixed=fixed)


def save_run(folder: Path, run: Run[Network], bundle: Bundle[Network], config: RunConfig) -> None:
    """Writes the run as a checkpoint, completely or not at all.

    The bundle is given a plain network of the averaged weights; `training.safetensors` holds the plain ones, the
    average and the optimiser's tensors, `training.json` the rest. The previous checkpoint stays in place until this one
    has been read back.

    Args:
        folder: of the checkpoint; `embodio.train.checkpoints.kept` says where older ones go.
        run: what is saved.
        bundle: writes the part that is read outside training.
        config: settings of the run.

    Raises:
        WriteError: the disk is full, cannot be written, or reads back differently; the previous checkpoint stays.
    """
    if run.fixed and not run.base:
        run.base = write_base(folder.parent / BASE, run.model, run.fixed)
    former = place_of_older(folder, folder.parent, run.step) if config.keep > 1 or config.keep_every else None
    with replacing_folder(folder, former) as new:
        with run.averaged(), merged(run.model):
            bundle.write(new, run.model)
        kept = optimiser_state(run.optimiser, run.model)
        tensors = {name: tensor.cpu().contiguous() for name, tensor in run_tensors(run, kept).items()}
        write_tensors(new / TENSORS, tensors)
        write_json(new / STATE, run_numbers(run, kept, config), indent=2)
        write_sums(new, (TENSORS, STATE))
        _verify(new, folder, tensors)
    prune(folder.parent, run.step, config.keep, config.keep_every)


def write_base(path: Path, network: nn.Module, fixed: Collection[str]) -> str:
    """Writes the fixed parameters of a network, by their names; returns the sha256 of the file."""
    held = network.state_dict()
    write_tensors(path, {name: held[name].detach().cpu().contiguous() for name in sorted(fixed)})
    return sha256_of(path)


def _read_base(path: Path, run: Run[Network], digest: str) -> None:
    """Reads the fixed parameters into the network."""
    if not path.is_file() or sha256_of(path) != digest:
        raise ResumeError(
            f"{path} is {'damaged' if path.is_file() else 'not there'}: it holds the weights that the run changes. Put "
            "back a copy, or begin again with another out="
        )
    held = run.model.state_dict()
    with torch.no_grad():
        for name, tensor in load_file(path).items():
            held[name].copy_(divided_like(tensor, held[name]))
    run.base = digest


def _verify(new: Path, folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Reads back what was written, before it replaces the previous checkpoint."""
    try:
        found = load_file(new / TENSORS)
    except (SafetensorError, OSError) as error:
        raise WriteError(errno.EIO, f"{TENSORS} cannot be read back ({error})", str(folder)) from error
    for name, tensor in tensors.items():
        if name not in found or not same_bits(found[name], tensor):
            raise WriteError(errno.EIO, f"{name} is not what was written when it is read back", str(folder))


def read_whole(folder: Path, run: Run[Network]) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint's training state, whether one process or several wrote it.

    Raises:
        ResumeError: a file is damaged.
    """
    if (folder / SHARDS).is_dir():
        from embodio.train.parallel.shard_files import read_shards, sharded_shapes  # slow, and rarely needed

        tensors = {name: torch.empty(shape) for name, shape in sharded_shapes(folder / SHARDS).items()}
        read_shards(folder / SHARDS, tensors)
        return tensors
    try:
        found: dict[str, torch.Tensor] = load_file(folder / TENSORS)
    except (SafetensorError, OSError) as error:
        raise damaged(folder / TENSORS, str(error)) from error
    return found


def restore_run(
    folder: Path,
    run: Run[Network],
    config: RunConfig,
    older: Callable[[Path], Identity] = lambda folder: {},
    *,
    read: Callable[[Path, Run[Network]], dict[str, torch.Tensor]] = read_whole,
    verify: bool = True,
    tidy: bool = True,
) -> bool:
    """Continues from a checkpoint if there is one.

    Args:
        folder: of the checkpoint.
        run: at step 0; takes the weights, moments and step.
        config: the requested settings.
        older: inputs as described by a checkpoint without identity.
        read: reads the tensors of its training state.
        verify: compare its files with their checksums first; not needed if `fall_back` has just found it sound.
        tidy: prune the older ones; for one of several processes.

    Returns:
        Whether there was one.

    Raises:
        ChecksumError: if a file of it is damaged or was replaced.
        ResumeError: if it was made with other settings or data, is damaged, or does not fit the network.

    Warns:
        UserWarning: its data cannot be compared, as it is from before there were identities, or a library has changed.
    """
    settle(folder.parent)
    if not folder.exists():
        return False
    if verify:
        check_files(folder)
    state = read_state(folder / STATE)
    old = _identity_of(folder, state, older)
    require_same_inputs(folder, old, run.identity, setting_differences(state["config"], config))
    run.identity = {**run.identity, "init": old.get("init", "")}
    tensors = read(folder, run)
    _require_shapes(folder, tensors, run)
    if run.fixed:
        _read_base(folder.parent / BASE, run, state.get("base", ""))
    _copy_weights(tensors, run)
    _restore_optimiser(folder, tensors, state, run)
    for name, saved in state.get("parts", {}).items():
        if name in run.parts:
            run.parts[name].load_state_dict(saved)
    run.step = state["step"]
    if tidy:  # a killed process may not have come to it
        prune(folder.parent, run.step, config.keep, config.keep_every)
    return True


def _identity_of(folder: Path, state: Mapping[str, Any], older: Callable[[Path], Identity]) -> Identity:
    """The identity in a checkpoint, as its fields are named today."""
    if "identity" not in state:
        warnings.warn(
            f"{folder} does not say what data it was trained on, only its statistics and robot, which are compared",
            stacklevel=3,
        )
    try:
        return with_later_fields(state["identity"] if "identity" in state else older(folder))
    except ConfigError as error:
        raise damaged(folder / STATE, f"identity.network: {error}") from error


@torch.no_grad()
def _copy_weights(tensors: Mapping[str, torch.Tensor], run: Run[Network]) -> None:
    """Gives network and average the weights of a checkpoint."""
    for name, tensor in run.model.state_dict().items():
        if name not in run.fixed:
            tensor.copy_(tensors[f"model/{name}"])
    if run.average is not None:
        for name, value in run.average.values.items():
            value.copy_(tensors[f"average/{name}"])


def _require_shapes(folder: Path, tensors: Mapping[str, torch.Tensor], run: Run[Network]) -> None:
    """Refuses a checkpoint unless network and average are all there, with the shapes of this network's."""
    expected = {name: tensor.shape for name, tensor in run_weights(run).items()}
    found = {name: one.shape for name, one in tensors.items() if not name.startswith((OPTIMISER, *_OLD_MOMENTS))}
    if found != expected:
        raise ResumeError(f"{folder}: its tensors are not those of this network; choose another out=")


def _restore_optimiser(
    folder: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any], run: Run[Network]
) -> None:
    """Gives the optimiser what that of a checkpoint kept."""
    try:
        restore_optimiser(run.optimiser, run.model, _optimiser_state(tensors, state))
    except TrainError as error:
        raise ResumeError(f"{folder / TENSORS}: {error}; choose another out=") from error


def _optimiser_state(tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> State:
    """What an optimiser kept, from the tensors and numbers of a checkpoint."""
    found: State = {name: dict(numbers) for name, numbers in state.get("optimiser", {}).items()}
    for full, tensor in tensors.items():
        if full.startswith((OPTIMISER, *_OLD_MOMENTS)):
            kind, _, name = full.removeprefix(OPTIMISER).partition("/")
            found.setdefault(name, {})[kind] = tensor
            if not full.startswith(OPTIMISER):
                found[name]["step"] = torch.tensor(float(state["step"]))
    return found


def run_weights(run: Run[Network]) -> dict[str, torch.Tensor]:
    """Tensors of the network and of the running average."""
    held = run.model.state_dict()
    tensors = {f"model/{name}": tensor for name, tensor in held.items() if name not in run.fixed}
    if run.average is not None:
        tensors |= {f"average/{name}": value for name, value in run.average.values.items()}
    return tensors


def run_tensors(run: Run[Network], kept: State) -> dict[str, torch.Tensor]:
    """All tensors of a run: weights, average, and what its optimiser keeps."""
    tensors = run_weights(run)
    for name, values in kept.items():
        found = {kind: value for kind, value in values.items() if isinstance(value, torch.Tensor)}
        tensors |= {f"{OPTIMISER}{kind}/{name}": value for kind, value in found.items()}
    return {name: tensor.detach() for name, tensor in tensors.items()}


def run_numbers(run: Run[Network], kept: State, config: RunConfig) -> dict[str, Any]:
    """The rest of a run's state, as plain JSON values: step, settings, identity, and the numbers of its parts.

    Raises:
        TrainError: the optimiser keeps something else than tensors and numbers.
    """
    state = {"step": run.step, "config": dataclasses.asdict(config), "identity": run.identity}
    state |= {"optimiser": _numbers(kept), "parts": {name: part.state_dict() for name, part in run.parts.items()}}
    return state | ({"base": run.base} if run.fixed else {})


def _numbers(kept: State) -> dict[str, dict[str, Any]]:
    """What an optimiser keeps besides tensors."""
    found: dict[str, dict[str, Any]] = {}
    for name, values in kept.items():
        for kind, value in values.items():
            if isinstance(value, int | float):
                found.setdefault(name, {})[kind] = value
            elif value is not None and not isinstance(value, torch.Tensor):
                raise TrainError(f"optimiser.name: it keeps {kind} of type {type(value).__name__}; choose another one")
    return found
