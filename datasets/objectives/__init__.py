"""The pre-training objectives, found by listing this folder: how records of a corpus become examples.

An objective is one module with the objective's name and a class `OBJECTIVE`, a `ConfiguredObjective`; its settings are
the keys `objectives.<name>.*` of a training run. What objectives share is in `parts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embodio.datasets.plug_ins import PlugIns, UnknownPlugInError

if TYPE_CHECKING:
    from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig


class UnknownObjectiveError(UnknownPlugInError):
    """An unknown objective name; the message lists the known ones."""


_OBJECTIVES = PlugIns(__name__, "OBJECTIVE", kind="objective", base=("objective",), error=UnknownObjectiveError)


def objective_names() -> list[str]:
    """The names of all objectives, in alphabetical order; nothing is imported."""
    return _OBJECTIVES.names()


def objective_summaries() -> dict[str, str]:
    """Name of an objective -> the first sentence of its module; nothing is imported."""
    return _OBJECTIVES.summaries()


def named_objective(name: str) -> type[ConfiguredObjective[Any]]:
    """Imports an objective by its name; raises UnknownObjectiveError."""
    objective: type[ConfiguredObjective[Any]] = _OBJECTIVES.named(name)
    return objective


def objective_settings(name: str) -> type[ObjectiveConfig]:
    """The dataclass of an objective's settings; raises UnknownObjectiveError."""
    return named_objective(name).settings
