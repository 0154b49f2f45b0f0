"""What lift-nano is shown where its actions are compared with those of an earlier day: drawn, not rendered."""

from __future__ import annotations

import numpy as np

from embodio.envs.embodiment import Embodiment

INSTRUCTIONS = ("lift the red cube", "lift the cube", "push the red block to the left")
STEPS = 6


def drawn_observation(robot: Embodiment, episode: int, step: int) -> dict[str, np.ndarray]:
    """A table in a soft light with a red square on it, at another place in each step; a state near the middle."""
    generator = np.random.default_rng(100 * episode + step)
    seen: dict[str, np.ndarray] = {}
    for camera in robot.cameras:
        rows, columns = np.mgrid[: camera.height, : camera.width]
        light = 90 + 60 * rows // camera.height + 20 * columns // camera.width
        image = np.repeat(light[..., None], 3, axis=2).astype(np.int64)
        top, left = generator.integers(20, 80, 2)
        image[top : top + 24, left : left + 24] = (190, 30, 35)
        seen[camera.name] = (image + generator.integers(-4, 5, image.shape)).astype(np.uint8)
    low, high = np.array([d.low for d in robot.state]), np.array([d.high for d in robot.state])
    middle, reach = (low + high) / 2, (high - low) / 8
    seen["state"] = (middle + generator.uniform(-reach, reach)).astype(np.float32)
    return seen
