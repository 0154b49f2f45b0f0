"""The embodiment of gym-aloha's two ViperX arms under joint control."""

from __future__ import annotations

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment

CONTROL_HZ = 50.0
# Limits of the actuators of one arm (rad).
_JOINTS = {
    "waist": (-3.14158, 3.14158),
    "shoulder": (-1.85005, 1.25664),
    "elbow": (-1.76278, 1.6057),
    "forearm_roll": (-3.14158, 3.14158),
    "wrist_angle": (-1.8675, 2.23402),
    "wrist_rotate": (-3.14158, 3.14158),
}


def two_arms(image_height: int = 480) -> Embodiment:
    """Two arms; an action is the target of each joint, and of each gripper from 0 (closed) to 1 (open).

    Args:
        image_height: height of the image in pixels; it is 4/3 as wide.
    """
    dimensions: list[Dimension] = []
    for side in ("left", "right"):
        dimensions += [Dimension(f"{side}_{joint}", "rad", low, high) for joint, (low, high) in _JOINTS.items()]
        dimensions.append(Dimension(f"{side}_gripper", "opening", 0.0, 1.0))
    action = ActionSpec(tuple(dimensions), "absolute", "joints", "none", "closed_is_low", "JOINT_POSITION")
    camera = Camera("top", image_height, image_height * 4 // 3)
    return Embodiment("aloha/two-arms", action, tuple(dimensions), (camera,), microphone=None, control_hz=CONTROL_HZ)
