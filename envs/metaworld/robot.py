"""The embodiment of Meta-World's Sawyer arm, whose hand is moved and never turned."""

from __future__ import annotations

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

CONTROL_HZ = 80.0
METRES_PER_UNIT = 0.01  # translation commanded by the action value 1.0
CAMERAS = ("corner2", "gripperPOV")
"""The simulator's names of the cameras, in the order in which a policy reads them."""
STATE_SIZE = 4
"""Length of the proprioceptive head of the simulator's observation; poses of objects follow it."""


def sawyer_xyz(image_size: int = 128) -> Embodiment:
    """Sawyer with position control of its hand and two square cameras.

    An action moves the target of the hand along the axes of the world and sets the effort of the fingers. The state is
    the position of the hand, and the opening of the fingers from 0 (closed) to 1.

    Args:
        image_size: height and width of both camera images, in pixels.
    """
    action = ActionSpec(
        dimensions=(
            *(Dimension(f"delta_{axis}", f"{METRES_PER_UNIT} m", -1.0, 1.0) for axis in "xyz"),
            Dimension("gripper", "effort", -1.0, 1.0),
        ),
        mode="delta",
        frame="world",
        rotation="none",
        gripper="closed_is_high",
        controller="mocap",
    )
    state = (
        Dimension("hand_x", "m", -0.525, 0.525),
        Dimension("hand_y", "m", 0.348, 1.025),
        Dimension("hand_z", "m", -0.0525, 0.7),
        Dimension("opening", "0.1 m", 0.0, 1.0),
    )
    cameras = tuple(Camera(name, image_size, image_size) for name in CAMERAS)
    return Embodiment("metaworld/sawyer-xyz", action, state, cameras, microphone=None, control_hz=CONTROL_HZ)
