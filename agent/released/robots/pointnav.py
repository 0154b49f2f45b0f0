"""Habitat PointNav: an agent walks to a point, one word at a time.

Positions are written in the order ( x z y ), scaled from -50 to 50 m (paper, appendices B.1 and D.10), and the history
as observation, position and action of each earlier step. Habitat's x and z span the floor, y is the height.

Not published: how the goal is given, and the wording, which is ours.
"""

from __future__ import annotations

from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.released.robot import RELEASED, ReleasedRobot
from embodio.envs.pointnav.robot import REACH, WORDS, pointnav_agent

_PLACE = ((-REACH, REACH),) * 3

ROBOT = ReleasedRobot(
    about="Habitat PointNav: word actions to a point",
    embodiment=pointnav_agent(256, 256),
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
    ranges={"state": (*_PLACE, (0.0, 360.0), *_PLACE)},
    assumed="that the goal is a position like that of the agent",
)
