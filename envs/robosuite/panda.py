"""The embodiment of robosuite's Panda arm under its default OSC_POSE controller."""

from __future__ import annotations

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

CONTROL_HZ = 20.0
METRES_PER_UNIT = 0.05  # translation commanded by the action value 1.0
RADIANS_PER_UNIT = 0.5  # rotation commanded by the action value 1.0

# Camera names of this package and of robosuite, in the order in which a policy reads them.
SIMULATOR_CAMERAS = {"agentview": "agentview", "wrist": "robot0_eye_in_hand"}


def panda_osc_pose(image_size: int = 128) -> Embodiment:
    """Panda with delta OSC_POSE control in the base frame and two square cameras.

    Actions are normalised to [-1, 1] per dimension; the unit of a dimension is the meaning of the value 1.0.

    Args:
        image_size: height and width of both camera images, in pixels.
    """
    action = ActionSpec(
        dimensions=(
            *(Dimension(f"delta_{axis}", f"{METRES_PER_UNIT} m", -1.0, 1.0) for axis in "xyz"),
            *(Dimension(f"delta_r{axis}", f"{RADIANS_PER_UNIT} rad", -1.0, 1.0) for axis in "xyz"),
            Dimension("gripper", "command", -1.0, 1.0, kind="binary"),
        ),
        mode="delta",
        frame="base",
        rotation="axis_angle",
        gripper="closed_is_high",
        controller="OSC_POSE",
    )
    state = (
        Dimension("eef_x", "m", -1.0, 1.0),
        Dimension("eef_y", "m", -1.0, 1.0),
        Dimension("eef_z", "m", 0.0, 2.0),
        *(Dimension(f"eef_q{axis}", "quaternion", -1.0, 1.0) for axis in "xyzw"),
        Dimension("finger_left", "m", 0.0, 0.04),
        Dimension("finger_right", "m", -0.04, 0.0),
    )
    cameras = tuple(Camera(name, image_size, image_size) for name in SIMULATOR_CAMERAS)
    return Embodiment("robosuite/panda-osc-pose", action, state, cameras, microphone=None, control_hz=CONTROL_HZ)
