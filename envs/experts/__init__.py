"""Scripted experts: they look into the simulator, and show policies how a task is done."""

from embodio.envs.experts.lift import LiftExpert, LiftSettings

__all__ = ["LiftExpert", "LiftSettings"]
