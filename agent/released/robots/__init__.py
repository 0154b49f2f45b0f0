"""The robots of the released networks, one file each; a file in this folder is a robot of that name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from embodio.agent.errors import CheckpointError
from embodio.agent.released.robot import ReleasedRobot
from embodio.envs.listed_modules import ListedModules

ROBOTS: Mapping[str, ReleasedRobot] = ListedModules(__name__, "ROBOT")
"""Name -> robot."""


def released_robot(name: str) -> ReleasedRobot:
    """A robot by its name; raises CheckpointError listing the robots if there is none."""
    if name not in ROBOTS:
        near = difflib.get_close_matches(name, list(ROBOTS), 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise CheckpointError(f"robot: {name!r} is unknown; {hint}The released networks know {', '.join(ROBOTS)}")
    return ROBOTS[name]
