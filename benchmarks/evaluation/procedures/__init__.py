"""Procedures, found by listing this folder: tasks that take several questions to a model, such as GRIT's.

A procedure is one module with an instance `PROCEDURE` of `Procedure`. A task of a suite names it as its family.
"""

from __future__ import annotations

from embodio.benchmarks.evaluation.procedures.parts.procedure import Procedure
from embodio.datasets.plug_ins import PlugIns

_PROCEDURES = PlugIns(__name__, "PROCEDURE", kind="procedure")


def procedure_names() -> list[str]:
    """The names of all procedures, in alphabetical order; nothing is imported."""
    return _PROCEDURES.names()


def named_procedure(name: str) -> Procedure:
    """A procedure by its name, which is that of its module; raises UnknownPlugInError."""
    found: Procedure = _PROCEDURES.named(name)
    return found
