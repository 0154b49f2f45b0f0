"""MetaworldEnv: a task of Meta-World, or a suite of them, as a gymnasium environment reproducible to the pixel."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodio.envs.actions import action_box, checked_action
from embodio.envs.errors import EnvError, SimulatorError, UnknownEnv
from embodio.envs.metaworld.robot import CAMERAS, CONTROL_HZ, STATE_SIZE, sawyer_xyz
from embodio.envs.metaworld.simulator import SIMULATOR, TaskSimulator
from embodio.envs.metaworld.tasks import SUITES, TASKS, WORDINGS, instruction_of
from embodio.envs.observation_space import RENDER_MODES, observation_space, require_settings
from embodio.envs.perturbing.mujoco_world import MujocoWorld

Observation = dict[str, Any]
HORIZON = 500
"""Meta-World's own limit of steps."""
_RENDER_SIZE = 256  # pixels, for videos
_KEPT = 10  # simulators that stay open, about 130 MB each with OpenGL
_WORDING_STREAM = 2  # unrelated to the stream of the scene


class MetaworldEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One task of Meta-World, or a suite such as "mt10", where the seed chooses the task.

    An observation is a dict of
        corner2, gripperPOV: upright RGB images, uint8 [image_size, image_size, 3] (absent with `cameras=False`);
        state: float32 [4], hand position xyz (m, world frame), opening of the fingers (0 to 1);
        instruction: the instruction as text.
    An action is float32 [4] in [-1, 1]; `embodiment` describes each number.

    `terminated` means success (also `info["success"]`); `truncated` means that `horizon` steps have passed. The task
    of a suite is number seed modulo the size of the suite, and scene and pictures are those of that task alone with
    the same seed. The same seed yields the same pixels, whatever happened before and in any process.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (declared so by gymnasium)
        "render_modes": RENDER_MODES,
        "render_fps": int(CONTROL_HZ),
    }

    def __init__(
        self,
        task: str = "reach",
        horizon: int = HORIZON,
        cameras: bool = True,
        image_size: int = 128,
        wording: str = "standard",
        render_mode: str | None = None,
    ) -> None:
        """Configures the environment; the simulator itself starts at the first `reset`.

        Args:
            task: a key of `TASKS` or of `SUITES`.
            horizon: number of steps after which an episode is truncated.
            cameras: whether observations hold images.
            image_size: height and width of the images, in pixels.
            wording: a key of `WORDINGS`: "standard" is the one sentence that LeRobot's data sets use; "varied" draws
                from several wordings, "held_out" from others.
            render_mode: None, or "rgb_array" for a larger view of the scene from `render`.

        Raises:
            UnknownEnv: the task is unknown.
            EnvError: Meta-World is not installed, `horizon` is not positive, or `wording` or `render_mode` is unknown.
        """
        if task not in TASKS and task not in SUITES:
            raise UnknownEnv(task, {*TASKS, *SUITES})
        require_settings(horizon, render_mode)
        if wording not in WORDINGS:
            raise EnvError(f"wording {wording!r} is not known; use one of {', '.join(WORDINGS)}")
        SIMULATOR.require()
        self.tasks = SUITES.get(task, (task,))
        self.horizon, self.cameras, self.wording, self.render_mode = horizon, cameras, wording, render_mode
        self.embodiment = sawyer_xyz(image_size)
        self.action_space = action_box(self.embodiment.action.dimensions)
        self.observation_space = observation_space(self.embodiment, cameras)
        self._simulators: dict[str, TaskSimulator] = {}
        self._present: tuple[str, TaskSimulator] | None = None
        self._instruction = ""
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: determines the episode completely; None draws one from the current generator.
            options: not used.

        Returns:
            The first observation, and info: "success" (False) and "task".

        Raises:
            SimulatorError: the simulator could not be started or reset.
        """
        super().reset(seed=seed)
        used = int(self.np_random.integers(2**31)) if seed is None else seed
        task = self.tasks[used % len(self.tasks)]
        self._steps = 0
        self._instruction = instruction_of(task, self.wording, np.random.default_rng([used, _WORDING_STREAM]))
        try:
            simulator = self._simulator(task)
            simulator.reset(np.random.default_rng(used))
            self._present = task, simulator
            return self._observe(), {"success": False, "task": task}
        except SimulatorError:
            self._discard(task)
            raise

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Executes one action for 1/80 s.

        Args:
            action: float32 [4] in [-1, 1].

        Returns:
            observation, reward (1.0 on success, else 0.0), terminated, truncated, info with "success" and "task".

        Raises:
            InvalidAction: the shape is wrong, or a number is not finite or outside the limits; names the dimension.
            SimulatorError: the simulator failed. The next `reset` starts a new one.
        """
        command = checked_action(action, self.embodiment.action.dimensions)
        simulator = self.simulator
        try:
            success = simulator.step(command)
            observation = self._observe()
        except SimulatorError:
            self._discard(self.task)
            raise
        self._steps += 1
        info = {"success": success, "task": self.task}
        return observation, float(success), success, self._steps >= self.horizon, info

    def render(self) -> NDArray[np.uint8] | None:
        """The scene as uint8 [256, 256, 3] if `render_mode` is "rgb_array", else None."""
        return None if self.render_mode is None else self.simulator.render(CAMERAS[0], _RENDER_SIZE)

    def close(self) -> None:
        """Stops the simulators and frees their memory; `reset` would start them again."""
        for task in tuple(self._simulators):
            self._discard(task)

    @property
    def task(self) -> str:
        """The task of the present episode.

        Raises:
            EnvError: the environment was not reset.
        """
        return self._running()[0]

    @property
    def simulator(self) -> TaskSimulator:
        """The simulator of the present episode, privileged information for experts, not for policies.

        Raises:
            EnvError: the environment was not reset.
        """
        return self._running()[1]

    def mujoco_world(self) -> MujocoWorld:
        """The simulation of the present episode, for perturbations.

        Raises:
            EnvError: the environment was not reset.
        """
        return self.simulator.world(self._observe)

    def _running(self) -> tuple[str, TaskSimulator]:
        if self._present is None:
            raise EnvError("the environment is not running; call reset() first")
        return self._present

    def _simulator(self, task: str) -> TaskSimulator:
        """The simulator of a task; of the others, those used last are kept."""
        found = self._simulators.pop(task, None) or TaskSimulator(task)
        self._simulators[task] = found
        if len(self._simulators) > _KEPT:
            self._discard(next(iter(self._simulators)))
        return found

    def _discard(self, task: str) -> None:
        simulator = self._simulators.pop(task, None)
        if simulator is not None:
            simulator.close()
        if self._present is not None and self._present[0] == task:
            self._present = None

    def _observe(self) -> Observation:
        simulator = self.simulator
        observation: Observation = {
            camera.name: simulator.render(camera.name, camera.height)
            for camera in (self.embodiment.cameras if self.cameras else ())
        }
        observation["state"] = simulator.observation[:STATE_SIZE].astype(np.float32)
        observation["instruction"] = self._instruction
        return observation
