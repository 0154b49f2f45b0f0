"""Weights in and out: one safetensors file beside one `config.json`, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from embodio.model.config import ModelConfig
from embodio.model.errors import ConfigError, WeightsError
from embodio.model.network import UnifiedIO2
from embodio.model.reference_layout import from_reference_state

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
    """Build the network that `save_weights` wrote.

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
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
        model = UnifiedIO2(read_config(folder / CONFIG_FILE))
    load_state(model, read_safetensors(folder / WEIGHTS_FILE), assign=True)
    return model.to(device).eval()


def load_reference_weights(model: UnifiedIO2, path: Path | str) -> dict[str, Tensor]:
    """Fill a network from a safetensors file with the reference's names (the released layout).

    Returns:
        The tensors of the VQ tokenisers under the reference's names, which the network itself does not hold.

    Raises:
        WeightsError: names or shapes differ.
    """
    found = from_reference_state(model.config, read_safetensors(Path(path)))
    load_state(model, found.state)
    return found.tokenizers


def load_state(model: UnifiedIO2, state: Mapping[str, Tensor], *, assign: bool = False) -> None:
    """Give the network its tensors.

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
        problems.append(f"missing: {missing}")
    if unexpected := sorted(set(state) - set(own)):
        problems.append(f"unexpected: {unexpected}")
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, the model needs {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if problems:
        raise WeightsError("the weights do not fit the model's configuration: " + "; ".join(problems))
    model.load_state_dict(dict(state), assign=assign)


def read_config(path: Path) -> ModelConfig:
    """Read a configuration file; raises ConfigError naming the file."""
    try:
        return ModelConfig.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; give the folder of a saved model") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file; raises WeightsError naming the file."""
    if not path.exists():
        raise WeightsError(f"{path} does not exist; give the folder of a saved model")
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged or not a safetensors file ({error}); fetch or save it again") from error
    return tensors
