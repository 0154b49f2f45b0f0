"""LoRA: low-rank changes of linear maps, trained while the maps stay as they are (Hu et al., arXiv 2106.09685).

A map W becomes W + (alpha / rank) up down, with `down` [rank, in] drawn at random and `up` [out, rank] zero at first,
so that training begins with the outputs of W. Merged, the network is a plain one again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodio.model.layers.layers import Linear
from embodio.train.errors import TrainError
from embodio.train.run_config import LoraConfig


class Adapted(nn.Module):
    """A linear map with a low-rank change.

    Args:
        base: the map; it is frozen.
        rank: of the change.
        alpha: the change is multiplied by alpha / rank.
        generator: draws the first values, on the CPU.
    """

    def __init__(self, base: Linear | nn.Linear, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        rows, columns = base.weight.shape
        first = torch.randn(rank, columns, generator=generator) * columns**-0.5
        self.lora_down = nn.Parameter(first.to(base.weight))
        self.lora_up = nn.Parameter(base.weight.new_zeros(rows, rank))

    @property
    def weight(self) -> Tensor:
        """The merged weight [out, in], for code that reads it."""
        return torch.addmm(self.base.weight, self.lora_up, self.lora_down, alpha=self.scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., in] to [..., out]."""
        change = functional.linear(functional.linear(x, self.lora_down), self.lora_up)
        return self.base(x) + self.scale * change


def adapt(model: nn.Module, config: LoraConfig, seed: int) -> frozenset[str]:
    """Gives linear maps of a network low-rank changes and freezes everything else, in place.

    Args:
        model: the network with its first weights.
        config: which maps, and which parameters are trained whole.
        seed: of the first values.

    Returns:
        The names of the frozen parameters.

    Raises:
        TrainError: a pattern matches no linear map, or no parameter.
    """
    maps = {name: module for name, module in model.named_modules() if isinstance(module, Linear | nn.Linear)}
    for pattern in config.targets:
        if not any(fnmatchcase(name, pattern) for name in maps):
            some = ", ".join(list(maps)[:3])
            raise TrainError(f"lora.targets: {pattern!r} matches no linear map; they are named {some}, ...")
    names = [name for name, _ in model.named_parameters()]
    for pattern in config.train:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise TrainError(
                f"lora.train: {pattern!r} matches no parameter; they are named {', '.join(names[:3])}, ..."
            )
    for name, parameter in model.named_parameters():
        whole = any(fnmatchcase(name, pattern) for pattern in config.train)
        parameter.requires_grad_(parameter.requires_grad and whole)
    generator = torch.Generator().manual_seed(seed)
    for name, module in maps.items():
        if any(fnmatchcase(name, pattern) for pattern in config.targets):
            changed = Adapted(module, config.rank, config.alpha or config.rank, generator)
            model.set_submodule(name, changed)
    return frozenset(name for name, parameter in model.named_parameters() if not parameter.requires_grad)


@contextlib.contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Inside the block the network is a plain one, with the changes added to the weights of its linear maps."""
    adapted = {name: module for name, module in model.named_modules() if isinstance(module, Adapted)}
    plain = {name: module.base.weight.data for name, module in adapted.items()}
    try:
        for name, module in adapted.items():
            module.base.weight.data = module.weight.detach()
            model.set_submodule(name, module.base)
        yield
    finally:
        for name, module in adapted.items():
            module.base.weight.data = plain[name]
            model.set_submodule(name, module)
