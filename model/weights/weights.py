"""Weights in and out: one safetensors file beside one `config.json`, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from embodio.model.config.model import ModelConfig
from embodio.model.errors import ConfigError, WeightsError, listed
from embodio.model.network.network import UnifiedIO2
from embodio.model.weights.reference_layout import MOST_MISFITS, from_reference_state

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"


def save_weights(model: UnifiedIO2, folder: Path | str) -> None:
    """Write the network's weights and configuration into a folder, which is made if needed.

    The files appear complete or not at all: each is written beside its place and then moved.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{WEIGHTS_FILE}.partial"
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, partial)
    partial.replace(folder / WEIGHTS_FILE)
    partial = folder / f".{CONFIG_FILE}.partial"
    partial.write_text(json.dumps(model.config.to_dict(), indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / CONFIG_FILE)


def load_weights(folder: Path | str, device: torch.device | str = "cpu") -> UnifiedIO2:
    """Build the network that `save_weights` wrote, with its tokenisers if it had them.

    Args:
        folder: holds `config.json` and `model.safetensors`; nothing else is read, and nothing is executed.
        device: where the network goes.

    Returns:
        The network in evaluation mode.

    Raises:
        ConfigError: the configuration is absent or unreadable.
        WeightsError: the weight file is absent or damaged, or names or shapes differ from the configuration.
    """
    folder = Path(folder)
    config, state = read_config(folder / CONFIG_FILE), read_safetensors(folder / WEIGHTS_FILE)
    tokenizers = any(name.startswith("tokenizers.") for name in state)
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
        model = UnifiedIO2(config, tokenizers=tokenizers)
    load_state(model, state, assign=True)
    return model.to(device).eval()


def load_reference_weights(model: UnifiedIO2, path: Path | str) -> dict[str, Tensor]:
    """Fill a network from a safetensors file with the reference's names (the released layout).

    Returns:
        The tensors of the VQ tokenisers under the reference's names, where the network was built without them.

    Raises:
        WeightsError: names or shapes differ.
    """
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    state, tokenizers = read_safetensors(Path(path)), bool(model.tokenizers)
    found = from_reference_state(model.config, state, tokenizers=tokenizers, shapes=shapes)
    load_state(model, found.state)
    return found.tokenizers


def load_state(model: nn.Module, state: Mapping[str, Tensor], *, assign: bool = False) -> None:
    """Give a network its tensors.

    Args:
        model: the network to fill.
        state: a tensor for each of the network's names.
        assign: make the tensors the network's own, with their dtype, instead of copying their values.

    Raises:
        WeightsError: lists missing names, unexpected names and wrong shapes.
    """
    own = model.state_dict()
    problems = []
    if missing := sorted(set(own) - set(state)):
        problems.append(f"missing: {listed(missing)}")
    if unexpected := sorted(set(state) - set(own)):
        problems.append(f"unexpected: {listed(unexpected)}")
    wrong = [
        f"{name} has shape {tuple(state[name].shape)} of {state[name].dtype}, the model needs {tuple(tensor.shape)} of "
        "floating-point numbers"
        for name, tensor in own.items()
        if name in state and (state[name].shape != tensor.shape or not state[name].is_floating_point())
    ]
    problems += wrong[:MOST_MISFITS]
    if problems:
        raise WeightsError("the weights do not fit the model's configuration: " + "; ".join(problems))
    model.load_state_dict(dict(state), assign=assign)


def read_config(path: Path) -> ModelConfig:
    """Read a configuration file; raises ConfigError naming the file."""
    return ModelConfig.from_dict(read_json(path))


def read_json(path: Path) -> dict[str, Any]:
    """Read a configuration file as a dictionary; raises ConfigError naming the file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; give the folder of a saved model") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a dictionary, found {type(data).__name__}")
    return data


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file; raises WeightsError naming the file."""
    if not path.exists():
        raise WeightsError(f"{path} does not exist; give the folder of a saved model")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged or not a safetensors file ({error}); fetch or save it again") from error
    return tensors
