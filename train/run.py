"""Runs: the state of training, saved into a checkpoint after any step and restored bit for bit."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from embodio.model.weights.checksums import check_sums, read_sums, write_sums
from embodio.model.weights.weight_files import write_tensors
from embodio.model.writing import WriteError, clear_leftovers, recover_folder, replacing_folder, write_json
from embodio.train.bundles import Bundle
from embodio.train.errors import ResumeError
from embodio.train.identity import Identity, require_same_inputs, setting_differences
from embodio.train.objective import Network
from embodio.train.optimisers.optimiser import WeightAverage
from embodio.train.run_config import RunConfig

CHECKPOINT = "checkpoint"
TENSORS = "training.safetensors"
STATE = "training.json"


@dataclasses.dataclass
class Run(Generic[Network]):
    """The state of training.

    Attributes:
        model: the network.
        optimiser: its optimiser.
        average: the running average of the weights, or None.
        step: optimiser steps done; the next batch is number `step`, so this one integer is the state of the data.
        identity: of its inputs, see `embodio.train.identity`.
    """

    model: Network
    optimiser: torch.optim.AdamW
    average: WeightAverage | None
    step: int = 0
    identity: Identity = dataclasses.field(default_factory=dict)

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


def save_run(folder: Path, run: Run[Network], bundle: Bundle[Network], config: RunConfig) -> None:
    """Writes the run as a checkpoint, completely or not at all.

    The bundle is given the averaged weights; `training.safetensors` holds the plain ones, the average and the
    optimiser's moments. The previous checkpoint stays in place until this one has been read back.

    Args:
        folder: of the checkpoint.
        run: what is saved.
        bundle: writes the part that is read outside training.
        config: settings of the run.

    Raises:
        WriteError: the disk is full, cannot be written, or reads back differently; the previous checkpoint stays.
    """
    with replacing_folder(folder) as new:
        with run.averaged():
            bundle.write(new, run.model)
        tensors = _tensors(run)
        write_tensors(new / TENSORS, tensors)
        state = {"step": run.step, "config": dataclasses.asdict(config), "identity": run.identity}
        write_json(new / STATE, state, indent=2)
        write_sums(new, (TENSORS, STATE))
        _verify(new, folder, tensors)


def _verify(new: Path, folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Reads back what was written, before it replaces the previous checkpoint."""
    try:
        found = load_file(new / TENSORS)
    except (SafetensorError, OSError) as error:
        raise WriteError(errno.EIO, f"{TENSORS} cannot be read back ({error})", str(folder)) from error
    for name, tensor in tensors.items():
        if name not in found or not torch.equal(_bytes(found[name]), _bytes(tensor)):
            raise WriteError(errno.EIO, f"{name} is not what was written when it is read back", str(folder))


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.uint8)


def restore_run(
    folder: Path, run: Run[Network], config: RunConfig, older: Callable[[Path], Identity] = lambda folder: {}
) -> bool:
    """Continues from a checkpoint if there is one.

    Args:
        folder: of the checkpoint.
        run: at step 0; takes the weights, moments and step.
        config: the requested settings.
        older: inputs as described by a checkpoint without identity.

    Returns:
        Whether there was one.

    Raises:
        ChecksumError: if a file of it is damaged or was replaced.
        ResumeError: if it was made with other settings or data, is damaged, or does not fit the network.

    Warns:
        UserWarning: its data cannot be compared, as it is from before there were identities, or a library has changed.
    """
    clear_leftovers(recover_folder(folder))
    if not (folder / STATE).is_file():
        return False
    _check_files(folder)
    state = _read_state(folder / STATE)
    if "identity" not in state:
        warnings.warn(
            f"{folder} does not say what data it was trained on, only its statistics and robot, which are compared",
            stacklevel=2,
        )
    old = state["identity"] if "identity" in state else older(folder)
    require_same_inputs(folder, old, run.identity, setting_differences(state["config"], config))
    run.identity = {**run.identity, "init": old.get("init", "")}
    parameters = _trainable(run.model)
    tensors = _read_tensors(folder / TENSORS, run, with_moments=bool(state["step"]))
    with torch.no_grad():
        for name, tensor in run.model.state_dict().items():
            tensor.copy_(tensors[f"model/{name}"])
        if run.average is not None:
            for name, value in run.average.values.items():
                value.copy_(tensors[f"average/{name}"])
    for name, parameter in parameters.items():
        if f"exp_avg/{name}" in tensors:
            run.optimiser.state[parameter] = {
                "step": torch.tensor(float(state["step"])),
                "exp_avg": tensors[f"exp_avg/{name}"].to(parameter.device),
                "exp_avg_sq": tensors[f"exp_avg_sq/{name}"].to(parameter.device),
            }
    run.step = state["step"]
    return True


def _check_files(folder: Path) -> None:
    """Compares all files of a checkpoint with the checksums that were saved with them."""
    known = {TENSORS, STATE, *(read_sums(folder) or ())}
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    check_sums(folder, sorted(known & there))


def _read_state(path: Path) -> dict[str, Any]:
    """Step and settings of a checkpoint."""
    try:
        state = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(state, dict) or not all(isinstance(state.get(key, {}), dict) for key in ("config", "identity")):
        raise _damaged(path, "it holds something else than settings")
    if "config" not in state:
        raise _damaged(path, "it holds no settings")
    step, steps = state.get("step"), state["config"].get("steps")
    if type(step) is not int or not 0 <= step <= (steps if type(steps) is int else step):
        raise _damaged(path, f"step {step!r} of {steps!r}")
    return state


def _read_tensors(path: Path, run: Run[Network], *, with_moments: bool) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, which are those of the network, with their shapes."""
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from error
    expected = {name: tensor.shape for name, tensor in _tensors(run).items()}
    if with_moments:
        shapes = {name: parameter.shape for name, parameter in _trainable(run.model).items()}
        expected |= {f"{kind}/{name}": shape for name, shape in shapes.items() for kind in ("exp_avg", "exp_avg_sq")}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise ResumeError(f"{path}: its tensors are not those of this network; choose another out=")
    return tensors


def _damaged(path: Path, problem: str) -> ResumeError:
    return ResumeError(
        f"{path} is damaged: {problem}. Put back a copy of {path.parent}, or delete it to begin again at step 0"
    )


def _trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _tensors(run: Run[Network]) -> dict[str, torch.Tensor]:
    tensors = {f"model/{name}": tensor for name, tensor in run.model.state_dict().items()}
    if run.average is not None:
        tensors |= {f"average/{name}": value for name, value in run.average.values.items()}
    for name, parameter in _trainable(run.model).items():
        moments = run.optimiser.state.get(parameter, {})
        tensors |= {f"{kind}/{name}": moments[kind] for kind in ("exp_avg", "exp_avg_sq") if kind in moments}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
