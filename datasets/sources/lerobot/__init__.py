"""LeRobot data sets: a reader and a writer."""

from embodio.datasets.sources.lerobot.reader import LAYOUT, LeRobotSource

__all__ = ["LAYOUT", "LeRobotSource"]
