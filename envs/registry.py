"""The registry of environments: creates environments, their scripted experts and embodiments by name.

Environments of this package have names such as "robosuite/lift"; a folder with a module `family` lists those of its
family (see `embodio.envs.family`). Custom ones are named "module:Class", for any module that Python can import; their
instances have an `embodiment`, and a method `expert()` to collect demonstrations.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium

from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError, UnknownEnv
from embodio.envs.family import EnvEntry, Simulator
from embodio.envs.perturbing.perturbed_env import PerturbedEnv
from embodio.envs.policy import Policy


def _envs() -> dict[str, EnvEntry]:
    """Name -> entry of every environment; families and their tasks are listed on every call."""
    found: dict[str, EnvEntry] = {}
    for file in sorted(Path(__file__).parent.glob("*/family.py")):
        found |= importlib.import_module(f"embodio.envs.{file.parent.name}.family").entries()
    return found


def known_envs() -> tuple[str, ...]:
    """The names that `make_env` accepts."""
    return tuple(sorted(_envs()))


def simulator_of(name: str) -> Simulator:
    """The simulator that an environment needs, installed or not.

    Raises:
        UnknownEnv: there is no such environment; names the nearest.
    """
    return _entry(name).simulator


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
        EnvError: its simulator is not installed, with the command that installs it; or a custom class cannot be
            imported, does not take the arguments, or has no embodiment.
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
        EnvError: the environment has no expert, or a custom one no method `expert`.
    """
    if is_own(name):
        if not hasattr(env.unwrapped, "expert"):
            raise EnvError(f"{name}: it has no expert; give the class a method `expert()` that returns a policy")
        own: Policy = env.unwrapped.expert()
        return own
    made_by = _entry(name).expert
    if made_by is None:
        raise EnvError(f"{name} has no scripted expert; demonstrations for it come from elsewhere")
    expert: Policy = _load(made_by)(env.unwrapped)
    return expert


def task_groups(name: str) -> Mapping[str, str]:
    """Task -> group that success is reported by; empty for environments of one task, and for names not known here."""
    entry = _envs().get(name)
    return {} if entry is None else entry.task_groups


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
    return _embodiment(_entry(name))


def known_embodiments() -> dict[str, Embodiment]:
    """Name -> embodiment of every environment of this package, from one listing of them."""
    return {name: _embodiment(entry) for name, entry in sorted(_envs().items())}


def _embodiment(entry: EnvEntry) -> Embodiment:
    embodiment: Embodiment = _load(entry.embodiment)(**entry.embodiment_kwargs)
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
