"""Habitat PointNav: an agent walks to a point, one word at a time.

Positions are written in the order ( x z y ), scaled from -50 to 50 m (paper, appendices B.1 and D.10), and the history
as observation, position and action of each earlier step. Habitat's x and z span the floor, y is the height. The words
are in the paper's order, not that of Habitat's action numbers.

Not published: how the goal is given, and the wording, which is ours.
"""

from __future__ import annotations

from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.released.robot import RELEASED, ReleasedRobot
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

WORDS = ("forward", "left", "right", "stop")
REACH = 50.0
"""Positions go from minus this to this, in metres."""
_STATE = ("x", "z", "y", "goal_x", "goal_z", "goal_y")
_ACTION = ActionSpec((Dimension.of_words("move", WORDS),), "delta", "agent", "none", "none", "discrete moves")

ROBOT = ReleasedRobot(
    about="Habitat PointNav: word actions to a point",
    embodiment=Embodiment(
        name="habitat-pointnav",
        action=_ACTION,
        state=tuple(Dimension(name, "m", -REACH, REACH) for name in _STATE),
        cameras=(Camera("rgb", 256, 256),),
        microphone=None,
        control_hz=1.0,
    ),
    policy=PolicyConfig(
        cameras=("rgb",),
        history_frames=4,
        chunk=1,
        prompt="{instruction} Goal: ( {state.goal_x} {state.goal_z} {state.goal_y} ) History: {history} "
        "{image} ( {state.x} {state.z} {state.y} ) The history lists each observation with its position ( x z y ) and "
        f"the action. Predict the next action out of {', '.join(WORDS)}.",
        history_text="{frame} ( {state.x} {state.z} {state.y} ) {action}",
        state_range="minmax",
        **RELEASED,
    ),
    cameras=("rgb", "image", "front"),
    ranges={"state": ((-REACH, REACH),) * len(_STATE)},
    assumed="that the goal is a position like that of the agent",
)
