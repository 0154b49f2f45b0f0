"""The perturbations, found by listing this folder.

A perturbation is one module with a subclass of `Perturbation` named `PERTURBATION`; the name of the module is its name.
"""

from __future__ import annotations

from collections.abc import Mapping

from embodio.envs.listed_modules import ListedModules
from embodio.envs.perturbing.perturbation import Perturbation

PERTURBATIONS: Mapping[str, type[Perturbation]] = ListedModules(__name__, "PERTURBATION")
