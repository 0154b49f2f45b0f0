"""Tasks: how trajectories become Examples."""

from embodio.datasets.tasks.next_action import NextAction

__all__ = ["NextAction"]
