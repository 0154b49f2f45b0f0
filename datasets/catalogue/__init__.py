"""Descriptions of public data sets, one YAML file each: keys, meaning of the action, frequency, gripper, language."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from embodio.datasets.errors import DatasetError

_FOLDER = Path(__file__).resolve().parent


@cache
def catalogue_names() -> tuple[str, ...]:
    """The names in the catalogue, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def catalogue_path(name: str) -> Path:
    """The YAML file of a name; raises DatasetError that lists the names if there is none."""
    if name not in catalogue_names():
        raise DatasetError(f"the catalogue has no {name!r}; it has {', '.join(catalogue_names())}")
    return _FOLDER / f"{name}.yaml"
