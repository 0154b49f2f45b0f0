"""The embodiment of MiniGrid's agent, which acts in words and sees the cells in front of it."""

from __future__ import annotations

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

WORDS = ("left", "right", "forward", "pick up", "drop", "toggle", "done")
"""The actions, in the order of MiniGrid's numbers."""
CELLS = 7  # cells that the agent sees, in width and in depth
TILE = 16  # pixels of a cell


def grid_agent() -> Embodiment:
    """An agent that turns, walks, and handles the object in front of it, with a picture of the 7 by 7 cells it sees.

    An action is one word. The state is the heading in quarter turns clockwise, 0 towards the right of the map. The
    agent stands at the lower edge of its picture and looks up; what it carries is drawn on its own cell. Actions have
    no duration, so the control frequency is nominal.
    """
    action = ActionSpec((Dimension.of_words("action", WORDS),), "delta", "agent", "none", "none", "grid")
    state = (Dimension("heading", "quarter turn", 0.0, 3.0),)
    view = Camera("view", CELLS * TILE, CELLS * TILE)
    return Embodiment("minigrid/agent", action, state, (view,), microphone=None, control_hz=1.0)
