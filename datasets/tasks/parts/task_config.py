"""TaskConfig: the settings of a task."""

from __future__ import annotations

from dataclasses import dataclass

from embodio.datasets.errors import DatasetError


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Settings of a task, the keys `tasks.<name>.*` of a run; tasks with more settings subclass it.

    Attributes:
        weight: its rate among the tasks, up to a common factor.
    """

    weight: float = 1.0

    @property
    def earlier_frames(self) -> int:
        """Earlier frames that an example shows, whatever the shared inputs."""
        return 0


def require_at_least_one(config: TaskConfig, task: str, *names: str) -> None:
    """Refuses settings below 1; raises DatasetError that names the key."""
    for name in names:
        if getattr(config, name) < 1:
            raise DatasetError(f"tasks.{task}.{name}: got {getattr(config, name)}, expected 1 or more")
