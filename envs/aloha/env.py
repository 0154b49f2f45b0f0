"""AlohaEnv: the two tasks of gym-aloha, which renders only the pictures that an observation holds."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodio.envs.actions import action_box, checked_action
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.envs.errors import EnvError, SimulatorError, UnknownEnv
from embodio.envs.family import Simulator
from embodio.envs.headless_mujoco import GL_REMEDY, errors_as_simulator_error, prefer_headless
from embodio.envs.observation_space import RENDER_MODES, observation_space, require_settings

Observation = dict[str, Any]
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
SIMULATOR = Simulator(
    "gym_aloha",
    "run `pip install --no-deps gym-aloha==0.1.5 dm-control==1.0.39 dm-env==1.6 labmaze==1.0.6 lxml==6.1.3 "
    "imageio==2.38.1` and `pip install dm-tree glfw pyopengl pyparsing`",
)
TASKS = {
    "transfer_cube": "pick up the red cube with the right arm and hand it over to the left arm",
    "insertion": "pick up the socket and the peg and insert the peg into the socket",
}
"""Names of the tasks and their instructions."""
_RENDER_HEIGHT = 240  # pixels, for videos


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


class AlohaEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One task of gym-aloha.

    An observation is a dict of
        top: RGB image from above, uint8 [image_height, image_height * 4 / 3, 3] (absent with `cameras=False`);
        state: float32 [14], the joints (rad) and the gripper (0 to 1) of the left arm, then of the right;
        instruction: the instruction as text.
    An action is float32 [14], the same as targets; see `two_arms`. There is no scripted expert.

    `terminated` means success (also `info["success"]`), `truncated` that `horizon` steps have passed; the reward is 1
    on success, else 0, and `info["stage"]` is gym-aloha's own reward from 0 to 4. The same seed yields the same pixels.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": int(CONTROL_HZ)}  # noqa: RUF012

    def __init__(
        self,
        task: str = "transfer_cube",
        horizon: int = 400,
        cameras: bool = True,
        image_height: int = 480,
        render_mode: str | None = None,
    ) -> None:
        """Configures the environment; the simulator itself starts at the first `reset`.

        Args:
            task: a key of `TASKS`.
            horizon: number of steps after which an episode is truncated; 400 is that of ACT's demonstrations.
            cameras: whether observations hold images.
            image_height: height of the images, in pixels.
            render_mode: None, or "rgb_array" for a view from above from `render`.

        Raises:
            UnknownEnv: the task is unknown.
            EnvError: gym-aloha is not installed, `horizon` is not positive or `render_mode` is unknown.
        """
        if task not in TASKS:
            raise UnknownEnv(task, TASKS)
        require_settings(horizon, render_mode)
        SIMULATOR.require()
        self.task, self.horizon, self.cameras, self.render_mode = task, horizon, cameras, render_mode
        self.embodiment = two_arms(image_height)
        self.action_space = action_box(self.embodiment.action.dimensions)
        self.observation_space = observation_space(self.embodiment, cameras)
        self._arms: Any = None
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: determines the episode completely; None continues with the current generator.
            options: not used.

        Returns:
            The first observation and `{"success": False}`.

        Raises:
            SimulatorError: the simulator could not be started or reset.
        """
        super().reset(seed=seed)
        if self._arms is None:
            self._arms = _start(self.task)
        with errors_as_simulator_error("resetting the simulator", _physics_error()):
            self._arms.reset(seed=int(self.np_random.integers(2**31)) if seed is None else seed)
        self._steps = 0
        return self._observe(), {"success": False}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Executes one action for 1/50 s.

        Args:
            action: float32 [14] inside the limits of the embodiment.

        Returns:
            observation, reward (1.0 on success, else 0.0), terminated, truncated, info with "success" and "stage".

        Raises:
            InvalidAction: the shape is wrong, or a number is not finite or outside the limits; names the dimension.
            SimulatorError: the physics diverged; `reset` to continue.
            EnvError: the environment was not reset.
        """
        # float32 cannot represent every limit
        command = checked_action(action, self.embodiment.action.dimensions, slack=1e-6)
        with errors_as_simulator_error("stepping the simulator", _physics_error()):
            _, stage, terminated, _, _ = self._running().step(command)
        self._steps += 1
        success = bool(terminated)
        info = {"success": success, "stage": int(stage or 0)}
        return self._observe(), float(success), success, self._steps >= self.horizon, info

    def render(self) -> NDArray[np.uint8] | None:
        """The scene from above as uint8 [240, 320, 3] if `render_mode` is "rgb_array", else None."""
        return None if self.render_mode is None else self._picture(_RENDER_HEIGHT, _RENDER_HEIGHT * 4 // 3)

    def close(self) -> None:
        """Stops the simulator and frees its memory; `reset` would start it again."""
        arms, self._arms = self._arms, None
        if arms is not None:
            arms._env.physics.free()

    def _running(self) -> Any:
        if self._arms is None:
            raise EnvError("the environment is not running; call reset() first")
        return self._arms

    def _picture(self, height: int, width: int) -> NDArray[np.uint8]:
        with errors_as_simulator_error("rendering"):
            picture: NDArray[np.uint8] = self._running()._env.physics.render(height, width, camera_id="top")
        return picture

    def _observe(self) -> Observation:
        inner = self._running()._env
        observation: Observation = {
            camera.name: self._picture(camera.height, camera.width)
            for camera in (self.embodiment.cameras if self.cameras else ())
        }
        observation["state"] = np.asarray(inner.task.get_qpos(inner.physics), np.float32)
        observation["instruction"] = TASKS[self.task]
        return observation


def _start(task: str) -> Any:
    """gym-aloha's environment, which renders nothing by itself; as shipped it renders three pictures at every step."""
    prefer_headless()
    try:
        arms = importlib.import_module("gym_aloha.env").AlohaEnv(task, obs_type="pixels")
    except (ImportError, AttributeError) as error:
        raise SimulatorError(f"gym_aloha cannot be imported: {error}. {GL_REMEDY}") from error
    nothing = np.zeros(0, np.uint8)
    arms._env.task.get_observation = lambda physics: {"images": {"top": nothing}}
    return arms


def _physics_error() -> type[BaseException]:
    """dm_control's error for physics that diverged."""
    found: type[BaseException] = importlib.import_module("dm_control.rl.control").PhysicsError
    return found
