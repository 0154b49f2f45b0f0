"""Sink: takes the lines of a run's log to a place of its own."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from embodio.train.errors import TrainError


class SinkError(TrainError):
    """A package that a sink needs is missing, or its service cannot be reached; the message says what to do."""


class Sink(ABC):
    """A place for the lines of a log. It is opened once in a session of a run.

    Args:
        out: folder of the run, whose name is the run's.
        settings: of the run, as plain values.
        step: steps done so far; later ones that were logged before come again.

    Raises:
        SinkError: its package is not installed.
    """

    @abstractmethod
    def __init__(self, out: Path, settings: Mapping[str, Any], step: int) -> None: ...

    @abstractmethod
    def write(self, line: Mapping[str, Any]) -> None:
        """Takes one line, which has a "kind" and a "step"; other values are numbers or texts."""

    @abstractmethod
    def close(self) -> None:
        """Hands over what is left; nothing is written after it."""


def numbers(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a line under names such as "train/loss" or "validation/openclipart/bits_image"."""
    prefix = "/".join(str(line[key]) for key in ("kind", "task") if key in line)
    for name, value in line.items():
        if name != "step" and isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}/{name}", float(value)


def needed(package: str, extra: str) -> Any:
    """Imports a package of an extra; raises SinkError that names it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise SinkError(f"sinks: {extra} needs {package}: pip install 'embodio[{extra}]' ({error})") from error
