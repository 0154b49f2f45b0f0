"""Optional speed-ups of a network: bfloat16 or int8 weights, prepared weights and torch.compile."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from embodio.agent.errors import PrecisionError
from embodio.agent.options import AgentOptions
from embodio.model.errors import ModelError
from embodio.model.inference.layer_step import Int8Product, Product, linear_product
from embodio.model.inference.prepared import prepare
from embodio.model.inference.quantised import Mode, quantise
from embodio.model.network.network import UnifiedIO2

_INT8: dict[str, Mode] = {"int8": "dynamic", "int8_weights": "weight_only"}


@dataclass(frozen=True)
class FastModel:
    """A network to act with: the model, its encoder, and the decoder's matrix product."""

    model: UnifiedIO2
    encoder: Callable[..., Any]
    product: Callable[[nn.Module], Product]


def usable_device(device: str | torch.device) -> torch.device:
    """The device of a name.

    Raises:
        PrecisionError: the name is not a device, or torch cannot use it on this machine.
    """
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise PrecisionError(f"device: got {device!r}, expected cpu, cuda or cuda:0, cuda:1, ...") from error
    count = torch.cuda.device_count()
    if found.type == "cuda" and (found.index or 0) >= count:
        have = f"{count} CUDA devices" if count else "no CUDA device"
        raise PrecisionError(
            f"device: {device!s} was asked for, but torch {torch.__version__} sees {have} here; use device=cpu, or run "
            "embodio-doctor"
        )
    return found


def require_compiler() -> None:
    """Raises PrecisionError unless there is what `torch.compile` needs."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++", "cl")):
        raise PrecisionError("compile: torch.compile needs a C++ compiler, which is not installed; install g++")


def convert(model: UnifiedIO2, options: AgentOptions) -> FastModel:
    """The network in the precision of the options; only `prepare` changes the given network.

    Raises:
        PrecisionError: this machine lacks what an option needs.
    """
    product: Callable[[nn.Module], Product] = linear_product
    if options.prepare:
        prepare(model)
    elif options.precision == "bfloat16":
        model = copy.deepcopy(model).to(torch.bfloat16)
    elif options.precision in _INT8:
        try:
            model = quantise(model, _INT8[options.precision])
        except ModelError as error:
            raise PrecisionError(f"precision: {error}; or use float32 or bfloat16") from error
        product = Int8Product
    encoder: Callable[..., Any] = model.encoder
    if options.compile:
        require_compiler()
        encoder = torch.compile(model.encoder)
    return FastModel(model, encoder, product)
