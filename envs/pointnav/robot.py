"""The embodiment of point navigation: words as actions, positions of agent and goal as state."""

from __future__ import annotations

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.minigrid.env import CELLS, TILE

WORDS = ("forward", "left", "right", "stop")
"""The actions, in the paper's order (appendix B.1), which is not that of Habitat's numbers."""
REACH = 50.0
"""Positions go from minus this to this, in metres."""


def pointnav_agent(height: int = CELLS * TILE, width: int = CELLS * TILE) -> Embodiment:
    """An agent that walks over a floor.

    An action is one word. The state is the position x, z on the floor and its height y, the heading in degrees
    clockwise as seen from above, 0 along x, and the goal in the same order as the position. Actions have no duration,
    so the control frequency is nominal.

    Args:
        height: of the picture "rgb" in pixels; as in MiniGrid's maps, if not given.
        width: likewise.
    """
    place = [Dimension(name, "m", -REACH, REACH) for name in ("x", "z", "y", "goal_x", "goal_z", "goal_y")]
    return Embodiment(
        name="pointnav/agent",
        action=ActionSpec((Dimension.of_words("move", WORDS),), "delta", "agent", "none", "none", "discrete moves"),
        state=(*place[:3], Dimension("heading", "degrees", 0.0, 360.0), *place[3:]),
        cameras=(Camera("rgb", height, width),),
        microphone=None,
        control_hz=1.0,
    )
