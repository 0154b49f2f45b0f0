"""A robot of your own, in one file: a pen that goes to a red square, seen from above. See data.md."""

import gymnasium
import numpy as np
from gymnasium import spaces

from embodio.envs import ActionSpec, Camera, Dimension, Embodiment, Instruction


class ReachEnv(gymnasium.Env):
    """The environment: what the robot is, what is seen, what an action does."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (declared so by gymnasium)
    embodiment = Embodiment(
        name="my-lab/plotter",
        action=ActionSpec(
            (Dimension("dx", "m", -0.1, 0.1), Dimension("dy", "m", -0.1, 0.1)),
            mode="delta",
            frame="base",
            rotation="none",
            gripper="none",
            controller="position",
        ),
        state=(Dimension("x", "m", 0, 1), Dimension("y", "m", 0, 1)),
        cameras=(Camera("top", 64, 64),),
        microphone=None,
        control_hz=10,
    )
    action_space = spaces.Box(-0.1, 0.1, (2,), np.float32)
    observation_space = spaces.Dict(
        {
            "top": spaces.Box(0, 255, (64, 64, 3), np.uint8),
            "state": spaces.Box(0, 1, (2,), np.float32),
            "instruction": Instruction(),
        }
    )

    def __init__(self, render_mode=None, horizon=30):
        """Take what embodio-rollout gives: `render_mode` for its videos, and `horizon` if it is set there."""
        self.render_mode, self.horizon = render_mode, horizon

    def reset(self, *, seed=None, options=None):
        """Put pen and square somewhere; the seed decides where."""
        super().reset(seed=seed)
        self.at, self.goal, self.steps = *self.np_random.uniform(0.1, 0.9, (2, 2)), 0
        return self.observe(), {}

    def step(self, action):
        """Move the pen; the end is success, or the horizon."""
        self.at, self.steps = np.clip(self.at + action, 0, 1), self.steps + 1
        success = bool(np.abs(self.at - self.goal).max() < 0.03)
        return self.observe(), float(success), success, self.steps >= self.horizon, {"success": success}

    def observe(self):
        """Cameras by their names, the state, and what to do."""
        return {"top": self.render(), "state": self.at.astype(np.float32), "instruction": "go to the red square"}

    def render(self):
        """Draw both from above, uint8 [64, 64, 3]."""
        image = np.zeros((64, 64, 3), np.uint8)
        for place, colour in ((self.goal, (255, 0, 0)), (self.at, (255, 255, 255))):
            row, column = (place[::-1] * 60).astype(int)
            image[row : row + 4, column : column + 4] = colour
        return image

    def expert(self):
        """Who shows how it is done."""
        return Expert(self)


class Expert:
    """A script that looks where the square is, which a policy cannot."""

    def __init__(self, env):
        self.env = env

    def reset(self, instruction=None):
        """Begin an episode."""

    def act(self, observation):
        """The part of the way to the square that one step covers."""
        return np.clip(self.env.goal - self.env.at, -0.1, 0.1).astype(np.float32)
