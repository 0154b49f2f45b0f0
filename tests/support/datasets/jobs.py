"""Jobs for engines, in a module that their processes load in no time."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from embodio.datasets.errors import FeatureError


def square(number: int) -> int:
    return number * number


def refuse(number: int) -> int:
    if number == 2:
        raise FeatureError(f"job {number} is refused")
    return number


def pid(number: int) -> int:
    return os.getpid()


def die_until(tries: int, folder: Path, number: int) -> int:
    """Kills the process at job 1 as long as it was not tried that often; the files in the folder count the tries."""
    if number == 1:
        count = len(list(folder.iterdir())) + 1
        (folder / str(count)).touch()
        if count < tries:
            os.kill(os.getpid(), signal.SIGKILL)
    return number
