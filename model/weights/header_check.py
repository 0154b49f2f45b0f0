"""Header check: compares a configuration with the table of contents of a weight file before building a network."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from torch import nn

from embodio.model.config.model import ModelConfig
from embodio.model.errors import WeightsError
from embodio.model.layers.without_memory import without_memory

Network = TypeVar("Network", bound=nn.Module)

_REPEATS = frozenset(
    ("num_layers", "num_encoder_layers", "num_decoder_layers", "encoder_layers", "decoder_layers", "num_res_blocks")
)
"""Fields that say how often a part is repeated; each repetition has at least one tensor."""
_WITHOUT_TENSORS = frozenset(
    ("image_size", "image_history_size", "audio_size", "audio_history_size", "lengths", "sampling", "max_frames")
)
"""Fields that no tensor has the size of."""
_ALWAYS_FINE = 1 << 16
"""A number up to this is not too large, whatever the file holds."""


def check_header(config: ModelConfig, shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Refuses a configuration whose network is far larger than the file, in time that depends on the file alone.

    Args:
        config: of the network.
        shapes: name of each tensor in the file -> its shape.
        where: what to call the file in messages.

    Raises:
        WeightsError: a part is repeated more often than the file has tensors, or a size exceeds all its numbers.
    """
    numbers = max(_ALWAYS_FINE, sum(math.prod(shape) for shape in shapes.values()))
    for name, value in _integers(config, ""):
        most, unit = numbers, "as many numbers as the file holds"
        if name.rpartition(".")[2] in _REPEATS:
            most, unit = len(shapes), "as many tensors as the file holds"
        elif not _WITHOUT_TENSORS.isdisjoint(name.split(".")):
            most, unit = _ALWAYS_FINE, "the most that makes sense"
        if value > most:
            raise WeightsError(
                f"{where} does not fit its config.json: {name} is {_short(value)}, more than {most}, {unit}; the two "
                "come from different networks, or one is damaged: fetch or save them again"
            )


def build_empty(make: Callable[[], Network], where: str) -> Network:
    """A network without memory for its weights (on torch's device "meta").

    Args:
        make: builds it.
        where: what to call its configuration in messages.

    Raises:
        WeightsError: its tensors would be larger than any memory.
    """
    try:
        with without_memory():
            return make()
    except (RuntimeError, OverflowError, TypeError) as error:
        reason = str(error).splitlines()[0][:200]
        raise WeightsError(f"{where}: such a network cannot be built ({reason}); fetch or save it again") from error


def _integers(value: Any, name: str) -> Iterator[tuple[str, int]]:
    """Every whole number in a config with its dotted name."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _integers(getattr(value, field.name), f"{name}.{field.name}" if name else field.name)
    elif isinstance(value, tuple):
        for item in value:
            yield from _integers(item, name)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield name, value


def _short(value: int) -> str:
    return str(value) if value < 10**15 else f"a number of more than 15 digits ({value.bit_length()} bits)"
