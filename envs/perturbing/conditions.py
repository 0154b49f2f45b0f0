"""Conditions as they are typed: "camera:3", "camera:3+light:2", "camera,light" or "all"."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from embodio.envs.errors import EnvError
from embodio.envs.perturbations import PERTURBATIONS
from embodio.envs.perturbing.perturbation import LEVELS

ALL = "all"


class PerturbationError(EnvError):
    """A perturbation that is not known, or that an environment cannot have; the message says what is possible."""


def conditions(text: str, level: int) -> tuple[str, ...]:
    """The conditions of a list, each in full, such as "camera:3" or "camera:3+light:3".

    Args:
        text: names, separated by commas; "+" joins what is applied together, ":" and a number is a level of its own,
            and "all" stands for all names in turn. "" gives no condition.
        level: of the names without one.

    Raises:
        PerturbationError: a name is not known, or a level is not from 1 to 5.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    spelled = [name for part in parts for name in (sorted(PERTURBATIONS) if part == ALL else [part])]
    found = [canonical(levels(one, level)) for one in spelled]
    return tuple(dict.fromkeys(found))


def levels(condition: str, level: int = 3) -> dict[str, int]:
    """Name -> level of the perturbations that a condition applies together; errors as of `conditions`."""
    found: dict[str, int] = {}
    for part in condition.split("+"):
        name, _, own = part.strip().partition(":")
        if name not in PERTURBATIONS:
            near = difflib.get_close_matches(name, PERTURBATIONS, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise PerturbationError(f"perturb: no perturbation {name!r}.{meant} There are {', '.join(PERTURBATIONS)}")
        chosen = own or str(level)
        if not chosen.isdecimal() or int(chosen) not in LEVELS:
            raise PerturbationError(
                f"perturb: level {chosen!r} of {name}; expected one of {', '.join(map(str, LEVELS))}"
            )
        found[name] = int(chosen)
    return found


def canonical(chosen: Mapping[str, int]) -> str:
    """A condition in full."""
    return "+".join(f"{name}:{level}" for name, level in sorted(chosen.items()))
