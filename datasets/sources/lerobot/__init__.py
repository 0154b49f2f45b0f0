"""LeRobot data sets: a reader and a writer."""

from embodio.datasets.sources.lerobot.reader import LeRobotSource

__all__ = ["LeRobotSource"]
