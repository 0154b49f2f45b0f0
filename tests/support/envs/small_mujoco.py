"""A small MuJoCo environment without a renderer: an arm, a cube on a table, a camera and a lamp."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from gymnasium import spaces

from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.errors import EnvError
from embodio.envs.perturbing.mujoco_world import Decoration, MujocoWorld

EMBODIMENT = Embodiment(
    "small/arm",
    ActionSpec(
        (Dimension("turn", "rad", -1.0, 1.0), Dimension("gripper", "command", -1.0, 1.0, kind="binary")),
        "delta", "base", "none", "closed_is_high", "none",
    ),
    (Dimension("angle", "rad", -3.0, 3.0),),
    (Camera("front", 64, 64),),
    None,
    20.0,
)  # fmt: skip

MODEL = """
<mujoco>
  <asset>
    <texture name="wood" type="2d" builtin="flat" rgb1="1 1 1" width="16" height="16"/>
    <texture name="paint" type="2d" builtin="flat" rgb1="1 0 0" width="4" height="4"/>
    <material name="wood" texture="wood"/>
    <material name="paint" texture="paint"/>
  </asset>
  <worldbody>
    <light name="lamp" pos="0 0 3" diffuse="0.4 0.4 0.4"/>
    <camera name="eye" pos="0 0 2" quat="1 0 0 0"/>
    <body name="table"><geom name="top" type="box" size="1 1 0.05" material="wood"/></body>
    <body name="cube" pos="0 0 0.1">
      <freejoint/><geom name="cube" type="box" size="0.02 0.02 0.02" material="paint"/>
    </body>
    <body name="arm" pos="-0.9 0 0.2">
      <geom name="base" type="sphere" size="0.05" rgba="0 1 0 1"/>
      <body name="link">
        <joint name="turn" type="hinge"/><geom name="link" type="capsule" fromto="0 0 0 0.1 0 0" size="0.01"/>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="turn"/></actuator>
</mujoco>
"""


class SmallEnv(gymnasium.Env[dict[str, Any], np.ndarray]):
    """Success never comes; the "image" holds the number of the step, and the actions that arrived are kept."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}
    embodiment = EMBODIMENT

    def __init__(self) -> None:
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = spaces.Dict({"state": spaces.Box(-3, 3, (1,), np.float32)})
        self.model = mujoco.MjModel.from_xml_string(MODEL)
        self.data = mujoco.MjData(self.model)
        self.decorations: list[Decoration] = []
        self.executed: list[list[float]] = []
        self.uploaded: list[int] = []
        self.running = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)
        self.executed, self.running = [], True
        return self.observe(), {"success": False}

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.executed.append([float(value) for value in action])
        return self.observe(), 0.0, False, len(self.executed) >= 8, {"success": False}

    def observe(self) -> dict[str, Any]:
        image = np.full((64, 64, 3), 100, np.uint8)
        image[:32] = 10 * len(self.executed)
        return {"front": image, "state": np.zeros(1, np.float32), "instruction": "lift the red cube"}

    def mujoco_world(self) -> MujocoWorld:
        if not self.running:
            raise EnvError("not running")
        groups = (True,) * 6
        given = (self.model, self.data, {"front": "eye"}, groups, self.uploaded.append, self.observe, self.decorations)
        return MujocoWorld(*given)

    def look(self) -> dict[str, np.ndarray]:
        """Copies of all that perturbations may change in the scene."""
        names = ("cam_pos", "cam_quat", "light_diffuse", "light_dir", "mat_rgba", "geom_rgba", "tex_data")
        return {name: getattr(self.model, name).copy() for name in names}
