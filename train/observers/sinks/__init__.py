"""Sinks, found by listing this folder: where the lines of a run's log go besides `log.jsonl`.

A sink is one module with the sink's name and a class `SINK`, a `Sink`; a run takes it with `sinks=[name]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodio.datasets.plug_ins import PlugIns

if TYPE_CHECKING:
    from embodio.train.observers.sinks.sink import Sink

_SINKS = PlugIns(__name__, "SINK", kind="sink", base=("sink",))


def sink_names() -> list[str]:
    """The names of all sinks, in alphabetical order; nothing is imported."""
    return _SINKS.names()


def named_sink(name: str) -> type[Sink]:
    """Imports a sink by its name; raises UnknownPlugInError."""
    sink: type[Sink] = _SINKS.named(name)
    return sink
