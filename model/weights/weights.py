"""Weight folders: read and write one safetensors file and one `config.json`, strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from embodio.model.config.model import ModelConfig
from embodio.model.errors import ConfigError, WeightsError, listed
from embodio.model.network.network import UnifiedIO2
from embodio.model.weights.checksums import check_sums, write_sums
from embodio.model.weights.header_check import build_empty, check_header
from embodio.model.weights.reference_layout import MOST_MISFITS, from_reference_state
from embodio.model.weights.weight_files import SafetensorsFile, write_tensors
from embodio.model.writing import write_json

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"


def save_weights(model: UnifiedIO2, folder: Path | str, *, half: bool = False) -> None:
    """Write the network's weights, configuration and their checksums into a folder, which is made if needed.

    The files appear complete or not at all.

    Args:
        model: the network.
        folder: where.
        half: store float32 numbers as float16, rounded to the nearest. Loading widens them, which is exact, so that
            every load gives the same numbers.

    Raises:
        WriteError: the disk is full, or the folder cannot be written.
        WeightsError: a number is not finite in float16.
    """
    folder = Path(folder)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    write_tensors(folder / WEIGHTS_FILE, halved(tensors) if half else tensors)
    write_json(folder / CONFIG_FILE, model.config.to_dict())
    write_sums(folder, (WEIGHTS_FILE, CONFIG_FILE))


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with float16 in place of float32; raises WeightsError if a number is not finite then."""
    found = {name: one.half() if one.dtype == torch.float32 else one for name, one in tensors.items()}
    if wide := [name for name, one in found.items() if one.is_floating_point() and not one.isfinite().all()]:
        raise WeightsError(f"{wide[0]} holds numbers that float16 does not; save it with half=False")
    return found


def widened(tensor: Tensor) -> Tensor:
    """A tensor with float32 in place of float16."""
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def load_weights(folder: Path | str, device: torch.device | str = "cpu") -> UnifiedIO2:
    """Build the network that `save_weights` wrote, with its tokenisers if it had them.

    Args:
        folder: holds `config.json` and `model.safetensors`; nothing else is read, and nothing is executed.
        device: where the network goes.

    Returns:
        The network in evaluation mode.

    Raises:
        ConfigError: the configuration is absent or unreadable.
        ChecksumError: a file differs from its checksum.
        WeightsError: the weight file is absent or damaged, or names or shapes differ from the configuration.
    """
    folder = Path(folder)
    path = folder / WEIGHTS_FILE
    check_sums(folder, [name for name in (CONFIG_FILE, WEIGHTS_FILE) if (folder / name).is_file()])
    config, shapes = read_config(folder / CONFIG_FILE), SafetensorsFile(path).shapes
    check_header(config, shapes, str(path))
    tokenizers = any(name.startswith("tokenizers.") for name in shapes)
    model = build_empty(lambda: UnifiedIO2(config, tokenizers=tokenizers), str(folder / CONFIG_FILE))
    require_fit(model, shapes, str(path))
    load_state(model, {name: widened(tensor) for name, tensor in read_safetensors(path).items()}, assign=True)
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
    require_fit(model, {name: tensor.shape for name, tensor in state.items()}, "the weights")
    odd = [f"{name} is of {tensor.dtype}" for name, tensor in state.items() if not tensor.is_floating_point()]
    if odd:
        raise WeightsError(f"the weights must be floating-point numbers: {'; '.join(odd[:MOST_MISFITS])}")
    model.load_state_dict(dict(state), assign=assign)


def require_fit(model: nn.Module, shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Compare a network with the names and shapes of tensors.

    Args:
        model: the network.
        shapes: name of each tensor that it would be given -> its shape.
        where: what to call the tensors in messages.

    Raises:
        WeightsError: lists missing names, unexpected names and wrong shapes.
    """
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    problems = []
    if missing := sorted(set(own) - set(shapes)):
        problems.append(f"missing: {listed(missing)}")
    if unexpected := sorted(set(shapes) - set(own)):
        problems.append(f"unexpected: {listed(unexpected)}")
    wrong = [
        f"{name} has shape {tuple(shapes[name])}, the model needs {shape}"
        for name, shape in own.items()
        if name in shapes and tuple(shapes[name]) != shape
    ]
    problems += wrong[:MOST_MISFITS]
    if problems:
        raise WeightsError(f"{where} do not fit the model's configuration: " + "; ".join(problems))


def read_config(path: Path) -> ModelConfig:
    """Read a configuration file; raises ConfigError naming the file."""
    return ModelConfig.from_dict(read_json(path))


def read_json(path: Path) -> dict[str, Any]:
    """Read a configuration file as a dictionary; raises ConfigError naming the file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist; give the folder of a saved model") from error
    except (ValueError, RecursionError) as error:
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
