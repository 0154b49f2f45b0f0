"""Robots in simulators of others, set to states and photographed."""

import importlib.util

from embodio.datasets.corpus.source import SourceAbsent


def require_robosuite() -> None:
    """Raises SourceAbsent if robosuite is not installed; it is not imported."""
    if importlib.util.find_spec("robosuite") is None:
        raise SourceAbsent("robosuite is not there; pip brings it")
