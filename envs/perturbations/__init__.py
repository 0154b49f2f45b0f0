"""The perturbations, found by listing this folder.

A perturbation is one module with a subclass of `Perturbation` named `PERTURBATION`; the name of the module is its name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from embodio.envs.perturbing.perturbation import Perturbation


class _ListedPerturbations(Mapping[str, type[Perturbation]]):
    """Name -> perturbation; a module is imported when its perturbation is requested."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(module.name for module in pkgutil.iter_modules(__path__)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> type[Perturbation]:
        if name not in list(self):
            raise KeyError(name)
        found: type[Perturbation] = importlib.import_module(f"{__name__}.{name}").PERTURBATION
        found.name = name
        return found


PERTURBATIONS: Mapping[str, type[Perturbation]] = _ListedPerturbations()
