"""What an environment cannot have is found out before anything is played, and left out of "all"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from embodio.envs.embodiment import ActionSpec, Dimension
from embodio.envs.errors import EnvError
from embodio.envs.perturbations import PERTURBATIONS
from embodio.envs.perturbing.conditions import PerturbationError
from embodio.envs.perturbing.possible import possible_conditions
from tests.support.envs.small_mujoco import EMBODIMENT, SmallEnv

_WORDS = ActionSpec((Dimension.of_words("action", ("left", "right")),), "delta", "agent", "none", "none", "grid")


class Plain(SmallEnv):
    """Without a MuJoCo scene to change."""

    mujoco_world = None  # type: ignore[assignment]


class Words(Plain):
    """With words for actions, and an instruction that is in no file."""

    embodiment = replace(EMBODIMENT, action=_WORDS)

    def observe(self) -> dict[str, Any]:
        return {**super().observe(), "instruction": "stand"}


def test_all_means_all_that_the_environment_can_have() -> None:
    found = possible_conditions("all", 2, SmallEnv(), "small/lift", 1)
    assert found.conditions == tuple(f"{name}:2" for name in sorted(PERTURBATIONS)) and found.note == ""
    found = possible_conditions("noise:4,all", 2, Plain(), "small/lift", 1)
    assert found.conditions == ("noise:4", "blur:2", "delay:2", "noise:2", "start:2", "wording:2")
    assert found.note == (
        "camera, colour, distractors, light, texture left out: the environment gives no MuJoCo scene (it has no method "
        "mujoco_world)"
    )
    found = possible_conditions("all", 2, Words(), "small/lift", 1)
    assert found.conditions == ("blur:2", "noise:2")
    assert "delay, start left out: actions are words here, not numbers; " in found.note
    assert "wording left out: wording: there are no other wordings of 'stand'" in found.note


def test_what_is_named_and_impossible_is_refused() -> None:
    with pytest.raises(PerturbationError, match=r"small/lift cannot have camera: .*MuJoCo.* It can have blur, delay"):
        possible_conditions("noise,blur+camera:1", 3, Plain(), "small/lift", 1)
    with pytest.raises(PerturbationError, match="cannot have start: actions are words"):
        possible_conditions("all,start", 3, Words(), "small/lift", 1)
    with pytest.raises(EnvError, match="no other wordings of 'stand'"):
        possible_conditions("wording", 3, Words(), "small/lift", 1)
    assert possible_conditions("wording:1", 3, Words(), "small/lift", 1).conditions == ("wording:1",)
