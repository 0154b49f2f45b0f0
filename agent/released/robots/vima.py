"""VIMA-Bench: one action picks and places, or pushes; the network plans the whole episode at once.

The image is the first observation, the prompt's images are the image history and are referred to by their tokens. The
answer is a list of steps (paper, appendix D.10). Positions are scaled to the workspace, turns to 360 degrees. The
reference reads plans with bin / 1000; `value_denominator=1000` does the same, half a millimetre away.

Not published: the wording around the grammar (the one here is ours), which of the two views is read, and the text
between two steps, which the reference's parser skips.
"""

from __future__ import annotations

from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.released.robot import RELEASED, ReleasedRobot
from embodio.envs.vima.robot import ACTION_TEXT, vima_pick_place

ROBOT = ReleasedRobot(
    about="VIMA-Bench: pick and place, or push, planned for a whole episode",
    embodiment=vima_pick_place(),
    policy=PolicyConfig(
        cameras=("front",),
        chunk=8,  # the longest of the 13 training tasks takes 8 steps
        prompt="{instruction} Plan all actions from the first observation, one sentence each, in the format "
        '"step: pick from ( x y r ) and place to ( x y r )" or "step: push from ( x y r ) and push to ( x y r )".',
        action_text=ACTION_TEXT,
        whole_episode=True,
        prompt_images=8,
        **RELEASED,
    ),
    cameras=("front",),
)
