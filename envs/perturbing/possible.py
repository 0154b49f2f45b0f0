"""Which perturbations an environment can have, found out before anything is played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import gymnasium

from embodio.envs.errors import EnvError
from embodio.envs.perturbations import PERTURBATIONS
from embodio.envs.perturbing.conditions import ALL, conditions, levels
from embodio.envs.perturbing.perturbed_env import PerturbedEnv

_WORDING = "wording"


class Possible(NamedTuple):
    """The conditions of a list that an environment can have.

    Attributes:
        conditions: in full, in their order.
        left_out: name -> why, of the perturbations that "all" does not stand for here.
    """

    conditions: tuple[str, ...]
    left_out: Mapping[str, str]

    @property
    def note(self) -> str:
        """One line about what is left out; "" for nothing."""
        reasons = dict.fromkeys(self.left_out.values())
        groups = ((reason, [name for name, why in self.left_out.items() if why == reason]) for reason in reasons)
        return "; ".join(f"{', '.join(names)} left out: {reason}" for reason, names in groups)


def possible_conditions(text: str, level: int, env: gymnasium.Env[Any, Any], name: str, seed: int) -> Possible:
    """The conditions of a list, where "all" stands for all perturbations that the environment can have.

    Args:
        text: as of `conditions`.
        level: of the names without one.
        env: the environment, without perturbations; it is reset where its instruction has to be known.
        name: of the environment.
        seed: of an episode that will be played.

    Raises:
        PerturbationError: a name is not known, a level is not from 1 to 5, or the environment cannot have one that
            is named.
        EnvError: one that is named has no other wordings of the instruction.
    """
    left_out: dict[str, str] = {}
    asked = [part.strip() for part in text.split(",")]
    for one in sorted(PERTURBATIONS) if ALL in asked else ():
        try:
            _try(env, name, f"{one}:{level}", seed)
        except EnvError as error:
            left_out[one] = PERTURBATIONS[one].lacks(env) or str(error)
    named = conditions(",".join(part for part in asked if part != ALL), level)
    for condition in named:
        _try(env, name, condition, seed)
    every = conditions(text, level)
    return Possible(tuple(one for one in every if one in named or one.partition(":")[0] not in left_out), left_out)


def _try(env: gymnasium.Env[Any, Any], name: str, condition: str, seed: int) -> None:
    """Raises what the first episode under a condition would raise."""
    perturbed = PerturbedEnv(env, name, condition)
    if _WORDING in levels(condition):
        perturbed.reset(seed=seed)
