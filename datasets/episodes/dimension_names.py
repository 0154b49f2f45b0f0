"""Names of the numbers in a field: the robot's where it is described, otherwise counted."""

from __future__ import annotations

from embodio.datasets.episodes.source import EpisodeSource, robot_of
from embodio.envs.embodiment import Dimension


def dimensions_of(source: EpisodeSource, field: str, size: int) -> tuple[Dimension, ...]:
    """The dimensions of an action or state field; empty where the robot is not described or has another size.

    Args:
        source: whose robot to ask.
        field: path of a numeric step field.
        size: number of values in a step of it.
    """
    embodiment = robot_of(source)
    if embodiment is None:
        return ()
    known = {"action": embodiment.action.dimensions, "expert_action": embodiment.action.dimensions}
    known |= {"state": embodiment.state, "observation/state": embodiment.state}
    found = known.get(field, ())
    return found if len(found) == size else ()


def dimension_names(source: EpisodeSource, field: str, size: int) -> tuple[str, ...]:
    """One name for each number of a field: the robot's, else the files', else counted."""
    found = tuple(dimension.name for dimension in dimensions_of(source, field, size))
    return found or names_in_files(source, field, size) or tuple(f"{_short(field)}_{number}" for number in range(size))


def names_in_files(source: EpisodeSource, field: str, size: int) -> tuple[str, ...]:
    """The files' names for the numbers of a field; empty without any, or if some are missing or repeated."""
    tell = getattr(source, "dimension_names", None)
    if tell is None:
        return ()
    names = tuple(tell(field) or tell(f"observation/{field}"))
    return names if len(names) == len(set(names)) == size else ()


def _short(field: str) -> str:
    return field.rpartition("/")[2]
