"""The robosuite tasks that can be made, by our name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RobosuiteTask:
    """A task of robosuite: the class that simulates it and the instruction given to a policy."""

    class_name: str
    instruction: str


TASKS = {
    "lift": RobosuiteTask(class_name="Lift", instruction="lift the red cube"),
}
