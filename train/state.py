"""Saving and restoring a training run: the agent's checkpoint plus everything that the next step depends on."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from embodio.agent.checkpoint import FILES, recover_folder, replace_folder, write_checkpoint_files
from embodio.agent.format.policy_format import PolicyFormat
from embodio.model.checksums import check_sums
from embodio.model.network.network import UnifiedIO2
from embodio.train.config import FREE_ON_RESUME, MOVABLE, TrainConfig
from embodio.train.errors import ResumeError
from embodio.train.optimisers.optimiser import WeightAverage

TENSORS = "training.safetensors"
STATE = "training.json"


@dataclasses.dataclass
class Run:
    """What changes during training.

    Attributes:
        model: the network.
        optimiser: its AdamW.
        average: the running average of the weights, or None.
        step: optimiser steps done; the next batch is number `step`, so this one integer is the state of the data.
    """

    model: UnifiedIO2
    optimiser: torch.optim.AdamW
    average: WeightAverage | None
    step: int = 0


def save_run(folder: Path, run: Run, policy_format: PolicyFormat, config: TrainConfig) -> None:
    """Writes the run as a checkpoint that agents can load; complete or not there at all.

    `model.safetensors` holds the averaged weights, `training.safetensors` the plain ones and the optimiser's moments.
    """
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    save_file(_tensors(run), new / TENSORS)
    state = {"step": run.step, "config": dataclasses.asdict(config)}
    (new / STATE).write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    if run.average is not None:
        run.average.swap()
    try:
        write_checkpoint_files(new, run.model, policy_format)
    finally:
        if run.average is not None:
            run.average.swap()
    replace_folder(new, folder)


def restore_run(folder: Path, run: Run, config: TrainConfig) -> bool:
    """Continues from a checkpoint if there is one.

    Returns:
        Whether there was one.

    Raises:
        ChecksumError: if a file of it is damaged or another one than was saved.
        ResumeError: if it was made with other settings, or does not fit the network.
    """
    recover_folder(folder)
    if not (folder / STATE).is_file():
        return False
    check_sums(folder, [name for name in (*FILES, TENSORS, STATE) if (folder / name).is_file()])
    state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    old = _with_defaults(state["config"], config)
    _check_same(folder, json.loads(json.dumps(old)), json.loads(json.dumps(dataclasses.asdict(config))))
    tensors = load_file(folder / TENSORS)
    parameters = _trainable(run.model)
    expected = set(_tensors(run)) | {f"{kind}/{name}" for name in parameters for kind in ("exp_avg", "exp_avg_sq")}
    if state["step"] and set(tensors) != expected:
        raise ResumeError(f"{folder}: its tensors are not those of this network; choose another out=")
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
    run.step = int(state["step"])
    return True


def _trainable(model: UnifiedIO2) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _tensors(run: Run) -> dict[str, torch.Tensor]:
    tensors = {f"model/{name}": tensor for name, tensor in run.model.state_dict().items()}
    if run.average is not None:
        tensors |= {f"average/{name}": value for name, value in run.average.values.items()}
    for name, parameter in _trainable(run.model).items():
        moments = run.optimiser.state.get(parameter, {})
        tensors |= {f"{kind}/{name}": moments[kind] for kind in ("exp_avg", "exp_avg_sq") if kind in moments}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _with_defaults(saved: dict[str, Any], config: Any) -> dict[str, Any]:
    """Saved settings, with the default for each that did not exist yet: a new setting's default changes nothing."""
    filled = dict(saved)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in saved:
            if dataclasses.is_dataclass(value) and isinstance(saved[field.name], dict):
                filled[field.name] = _with_defaults(saved[field.name], value)
        elif field.default is not dataclasses.MISSING:
            filled[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default: Any = field.default_factory()
            is_plain = isinstance(default, type) or not dataclasses.is_dataclass(default)
            filled[field.name] = default if is_plain else dataclasses.asdict(default)
    return filled


def _check_same(folder: Path, old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> None:
    for key in sorted(set(old) | set(new)):
        if (not prefix and key in FREE_ON_RESUME) or (prefix.startswith("sources.") and key in MOVABLE):
            continue
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            _check_same(folder, old[key], new[key], f"{prefix}{key}.")
        elif old.get(key) != new.get(key):
            raise ResumeError(
                f"{folder} holds a run with {prefix}{key}={old.get(key)!r}, but {prefix}{key}={new.get(key)!r} was "
                f"asked for; ask for the same to go on with it, or choose another out="
            )
