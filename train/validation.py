"""Validation: held-out batches of a run, and the mean over several sets of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from embodio.datasets.errors import ExampleError
from embodio.model.network.batch import Batch

Line = Mapping[str, float]
"""Name of a figure -> its mean; "loss" is among them."""


class HeldOutBatches(Protocol):
    """Makes the batches of a validator."""

    def __call__(self, on_damage: Callable[[ExampleError], None] = ..., /) -> Iterator[Batch]:
        """The same batches each time; `on_damage` is called with each record that is damaged and left out."""


@dataclass(frozen=True)
class Validator:
    """A set of held-out batches.

    Attributes:
        batches: makes them.
        rate: its weight in the mean over all validators.
    """

    batches: HeldOutBatches
    rate: float = 1.0


def with_mean(lines: Mapping[str, Line], validators: Mapping[str, Validator]) -> dict[str, Line]:
    """The mean over all validators under "", followed by the line of each if there are several.

    Args:
        lines: name of a validator -> its figures; empty if no record could be read.
        validators: by name, with their rates.

    Returns:
        Empty if nothing was measured.
    """
    found = {name: line for name, line in lines.items() if line}
    mean: dict[str, float] = {}
    for key in dict.fromkeys(key for line in found.values() for key in line):
        rates = {name: validators[name].rate for name, line in found.items() if key in line}
        mean[key] = sum(rate * found[name][key] for name, rate in rates.items()) / sum(rates.values())
    return {"": mean, **(found if len(found) > 1 else {})} if found else {}
