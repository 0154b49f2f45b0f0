"""The listing of objectives: names, summaries and settings, and what a module of the folder must have."""

from __future__ import annotations

import pytest

from embodio.datasets.objectives import (
    UnknownObjectiveError,
    named_objective,
    objective_names,
    objective_settings,
    objective_summaries,
)
from embodio.datasets.objectives.objective import ConfiguredObjective, ObjectiveConfig


def test_every_module_is_an_objective_with_settings_and_a_summary() -> None:
    assert "objective" not in objective_names() and "denoise_text" in objective_names()
    for name, summary in objective_summaries().items():
        objective = named_objective(name)
        assert issubclass(objective, ConfiguredObjective) and issubclass(objective_settings(name), ObjectiveConfig)
        assert isinstance(objective().config, objective_settings(name)), "the defaults are settings"
        assert len(summary) > 20, f"{name}: the docstring begins with `Noun: what it does.`"
        assert name in str(objective.__module__)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownObjectiveError, match="did you mean 'denoise_text'"):
        named_objective("denoise_texts")
