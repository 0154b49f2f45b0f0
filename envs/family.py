"""EnvEntry: what the registry knows about an environment, and the check that its simulator is installed.

A folder of this package with a module `family` is a family of environments; its function `entries` gives their names.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embodio.envs.errors import EnvError


@dataclass(frozen=True)
class Simulator:
    """A package that environments need and that may be missing.

    Attributes:
        module: name to import it by.
        install: what to do to install it.
    """

    module: str
    install: str

    @property
    def installed(self) -> bool:
        """Whether the package can be found; it is not imported."""
        return sys.modules.get(self.module) is not None or importlib.util.find_spec(self.module) is not None

    def require(self) -> None:
        """Raises EnvError with the command that installs the package, unless it is installed."""
        if not self.installed:
            raise EnvError(f"{self.module} is not installed: {self.install}")


@dataclass(frozen=True)
class EnvEntry:
    """One known environment. Classes and functions are "module:name", imported on demand.

    Attributes:
        gymnasium_id: its id for `gymnasium.make`.
        env: class of the environment.
        kwargs: arguments of the class.
        embodiment: function that returns its embodiment.
        embodiment_kwargs: arguments of that function.
        simulator: the package that it needs.
        task_groups: task -> group that success is reported by, of an environment whose seed chooses the task.
        expert: class or function that creates its scripted expert, called with the environment; None if it has none.
    """

    gymnasium_id: str
    env: str
    kwargs: Mapping[str, Any]
    embodiment: str
    simulator: Simulator
    expert: str | None = None
    embodiment_kwargs: Mapping[str, Any] = field(default_factory=dict)
    task_groups: Mapping[str, str] = field(default_factory=dict)
