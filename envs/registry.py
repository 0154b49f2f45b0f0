"""The registry of environments: creates environments, their scripted experts and embodiments by name.

Environments of this package have names such as "robosuite/lift". Custom ones are named "module:Class", for any module
that Python can import; their instances have an `embodiment`, and a method `expert()` to collect demonstrations.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import gymnasium

from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError, UnknownEnv
from embodio.envs.perturbing.perturbed_env import PerturbedEnv
from embodio.envs.policy import Policy
from embodio.envs.robosuite.tasks import TASKS as ROBOSUITE_TASKS
from embodio.envs.vima.tasks import TASKS as VIMA_TASKS
from embodio.envs.vima.tasks import default_level


@dataclass(frozen=True)
class EnvEntry:
    """One known environment. Classes and functions are "module:name", imported on demand.

    Attributes:
        gymnasium_id: its id for `gymnasium.make`.
        env: class of the environment.
        kwargs: arguments of the class.
        expert: class or function that creates its scripted expert, called with the environment.
        embodiment: function that returns its embodiment, called without arguments.
        simulator: module of the simulator that it needs.
    """

    gymnasium_id: str
    env: str
    kwargs: dict[str, Any]
    expert: str
    embodiment: str
    simulator: str


def _robosuite_entries() -> dict[str, EnvEntry]:
    """Entries of robosuite, named robosuite/TASK."""
    return {
        f"robosuite/{task}": EnvEntry(
            gymnasium_id=f"embodio/robosuite-{task}-v0",
            env="embodio.envs.robosuite.env:RobosuiteEnv",
            kwargs={"task": task},
            expert="embodio.envs.robosuite.tasks:expert_of",
            embodiment="embodio.envs.robosuite.panda:panda_osc_pose",
            simulator="robosuite",
        )
        for task in ROBOSUITE_TASKS
    }


def _vima_entries() -> dict[str, EnvEntry]:
    """Entries of VIMA: vima/TASK at the task's first level, and vima/TASK/LEVEL for each of its levels."""
    entries: dict[str, EnvEntry] = {}
    for task, about in VIMA_TASKS.items():
        for level in (None, *about.levels):
            entries[f"vima/{task}/{level}" if level else f"vima/{task}"] = EnvEntry(
                gymnasium_id=f"embodio/vima-{task}{f'-{level}' if level else ''}-v0",
                env="embodio.envs.vima.env:VimaEnv",
                kwargs={"task": task, "level": level or default_level(task)},
                expert="embodio.envs.vima.oracle:VimaOracle",
                embodiment="embodio.envs.vima.robot:vima_pick_place",
                simulator="vima_bench",
            )
    return entries


def _envs() -> dict[str, EnvEntry]:
    """Name -> entry of every environment; tasks are listed on every call."""
    return _robosuite_entries() | _vima_entries()


def known_envs() -> tuple[str, ...]:
    """The names that `make_env` accepts."""
    return tuple(sorted(_envs()))


def missing_simulator(name: str) -> str | None:
    """The simulator module that an environment needs but that is not installed; None if it is installed.

    Raises:
        UnknownEnv: there is no such environment; names the nearest.
    """
    module = _entry(name).simulator
    return None if importlib.util.find_spec(module) else module


def make_env(
    name: str = "robosuite/lift", *, perturb: str = "", randomise: str = "", **kwargs: Any
) -> gymnasium.Env[Any, Any]:
    """Make an environment, without gymnasium's wrappers.

    Args:
        name: one of `known_envs()`, or "module:Class".
        perturb: perturbations of every episode, with levels, such as "camera:3+light:2"; see `PerturbedEnv`.
        randomise: perturbations whose levels are drawn for each episode, from 0 to those given.
        **kwargs: arguments of the environment's class, e.g. `horizon=100`.

    Raises:
        UnknownEnv: there is no such environment; names the nearest.
        EnvError: a custom class cannot be imported, does not take the arguments, or has no embodiment.
    """
    env = _plain_env(name, kwargs)
    if randomise:
        env = PerturbedEnv(env, name, randomise, randomise=True)
    return PerturbedEnv(env, name, perturb) if perturb else env


def _plain_env(name: str, kwargs: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """An environment as it is."""
    if is_own(name):
        return _own_env(name, kwargs)
    entry = _entry(name)
    env: gymnasium.Env[Any, Any] = _load(entry.env)(**{**entry.kwargs, **kwargs})
    return env


def make_expert(name: str, env: gymnasium.Env[Any, Any]) -> Policy:
    """Make the scripted expert of an environment; it has privileged access to `env`, which may be wrapped.

    Raises:
        UnknownEnv: there is no such environment; names the nearest.
        EnvError: a custom environment has no method `expert`.
    """
    if is_own(name):
        if not hasattr(env.unwrapped, "expert"):
            raise EnvError(f"{name}: it has no expert; give the class a method `expert()` that returns a policy")
        own: Policy = env.unwrapped.expert()
        return own
    expert: Policy = _load(_entry(name).expert)(env.unwrapped)
    return expert


def embodiment_of(name: str) -> Embodiment:
    """The embodiment of an environment with its default arguments, without starting a simulator.

    Raises:
        UnknownEnv: there is no such environment; names the nearest.
        EnvError: a custom class cannot be imported or has no embodiment.
    """
    if is_own(name):
        env = _own_env(name, {})
        env.close()
        found: Embodiment = env.unwrapped.embodiment  # type: ignore[attr-defined]
        return found
    embodiment: Embodiment = _load(_entry(name).embodiment)()
    return embodiment


def is_own(name: str) -> bool:
    """Whether a name is "module:Class", the class of a custom environment."""
    return ":" in name


def _own_env(name: str, kwargs: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """An environment of a custom class, after checking its required attributes."""
    module, _, attribute = name.partition(":")
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        remedy = "put its folder on PYTHONPATH, e.g. PYTHONPATH=. before the command"
        raise EnvError(f"{name}: cannot be imported ({error}); {remedy}") from error
    if not hasattr(loaded, attribute):
        raise EnvError(f"{name}: {module} has no {attribute}; the name is module:Class")
    try:
        env: gymnasium.Env[Any, Any] = getattr(loaded, attribute)(**kwargs)
    except TypeError as error:
        raise EnvError(f"{name}: cannot be made with {sorted(kwargs)} ({error}); let its __init__ take them") from error
    for space in ("observation_space", "action_space"):
        if not hasattr(env, space):
            raise EnvError(f"{name}: it has no {space}, which gymnasium requires of an environment; set it")
    if not isinstance(getattr(env.unwrapped, "embodiment", None), Embodiment):
        raise EnvError(f"{name}: it has no `embodiment`; set self.embodiment to an embodio.envs.Embodiment")
    return env


def register() -> None:
    """Register every environment with gymnasium; idempotent."""
    for entry in _envs().values():
        if entry.gymnasium_id not in gymnasium.registry:
            gymnasium.register(entry.gymnasium_id, entry_point=entry.env, kwargs=dict(entry.kwargs))


def _entry(name: str) -> EnvEntry:
    known = _envs()
    if name not in known:
        raise UnknownEnv(name, known)
    return known[name]


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
