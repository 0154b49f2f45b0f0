"""without_memory: networks are built without memory for their weights, which come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_RANDOM = {nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, Tensor.normal_, Tensor.uniform_}


class _WithoutRandomNumbers(TorchFunctionMode):
    """Leaves weights as they are: to fill them on its device "meta", torch loads its compiler, which takes seconds."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func in _RANDOM:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextmanager
def without_memory() -> Iterator[None]:
    """Networks built in the block are on torch's device "meta": their weights have shapes and no numbers."""
    with torch.device("meta"), _WithoutRandomNumbers():
        yield
