"""VimaEnv: a task of VIMA's benchmark as a gymnasium environment, with prompts of words and images."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from embodio.envs.actions import action_box
from embodio.envs.errors import EnvError, SimulatorError, UnknownEnv
from embodio.envs.interleaved_prompt import InterleavedPrompt, PromptSpace, interleave
from embodio.envs.observation_space import RENDER_MODES, require_settings
from embodio.envs.vima.benchmark import NO_SCENE, Benchmark, errors_as_simulator_error, start
from embodio.envs.vima.family import SIMULATOR
from embodio.envs.vima.isolation import MOTION_STEPS
from embodio.envs.vima.robot import HEIGHT, VIEWS, WIDTH, from_action, vima_pick_place
from embodio.envs.vima.tasks import TASKS, default_level

Observation = dict[str, Any]
_RESETS = 10  # number of seeds tried when objects do not fit
_EXTRA_STEPS = 2  # beyond those of the oracle, as the published protocol allows


class VimaEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One task of VIMA's benchmark at one level.

    An observation is a dict of
        front, top: upright RGB images, uint8 [128, 256, 3];
        state: float32 [1], the end effector: 0 suction, 1 spatula;
        instruction: the prompt, a list of words and images (uint8 [128, 256, 3]) in order.
    An action is float32 [7]; `embodiment` says what each number means. Its verb is not obeyed, as the end effector
    decides what is done; `info["verb_fits"]` says whether they agree.

    `terminated` means success (`info["success"]`) or failure (`info["failure"]`: a rule of the task was broken, or
    something left the table); `truncated` that the steps of the oracle and two more have passed. Rewards are 1 on
    success, else 0. Motions of the arm are limited by simulation steps, not by the clock as in the benchmark itself,
    so the load of the machine changes nothing. Environments of one process do not share anything.

    The same seed yields the same scene. Where the objects of a seed find no place, `reset` goes on with the next seed,
    as the published evaluation does, and says so in its info.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 1}  # noqa: RUF012 (as gymnasium has it)

    def __init__(
        self,
        task: str = "visual_manipulation",
        level: str | None = None,
        horizon: int | None = None,
        cameras: bool = True,
        prompt_view: Literal["front", "top"] = "front",
        oracle_goals: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """Configures the environment; the benchmark itself starts at the first `reset`.

        Args:
            task: a key of `TASKS`.
            level: "L1" to "L4", or "train" for scenes like those of the training data; None takes the first level of
                the published protocol that has the task.
            horizon: steps after which an episode is truncated; None for those of the published protocol.
            cameras: whether observations hold images; they are rendered in any case.
            prompt_view: the view of each object in the prompt.
            oracle_goals: whether steps that only the oracle takes count as separate goals, as when it plays.
            render_mode: None, or "rgb_array" for both views side by side from `render`.

        Raises:
            UnknownEnv: the task is unknown.
            EnvError: the benchmark is not installed, or the task does not occur at that level.
        """
        if task not in TASKS:
            raise UnknownEnv(task, TASKS)
        self.task, self.level = task, level or default_level(task)
        if self.level not in TASKS[task].levels:
            raise EnvError(f"level {self.level!r}: {task} occurs at {', '.join(TASKS[task].levels)}")
        require_settings(horizon, render_mode)
        if prompt_view not in VIEWS:
            raise EnvError(f"prompt_view must be one of {VIEWS}, got {prompt_view!r}")
        SIMULATOR.require()
        self.horizon = horizon or TASKS[task].oracle_steps + _EXTRA_STEPS
        self.cameras, self.prompt_view, self.render_mode = cameras, prompt_view, render_mode
        self.oracle_goals = oracle_goals
        self.embodiment = vima_pick_place()
        self.action_space = action_box(self.embodiment.action.dimensions)
        self.observation_space = self._observation_space()
        self._benchmark: Benchmark | None = None
        self._stop: Callable[[], object] | None = None
        self._seen: dict[str, Any] | None = None
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: determines the episode completely; None continues with the current generator.
            options: not used.

        Returns:
            The first observation, and info: "success" and "failure" (False), "seed" that the scene was made from, and
            "failed_resets", one message for each seed before it that gave no scene.

        Raises:
            SimulatorError: the benchmark cannot be started or failed, or none of ten seeds gives a scene.
        """
        super().reset(seed=seed)
        first = int(self.np_random.integers(2**31 - _RESETS)) if seed is None else seed
        benchmark = self._benchmark or self._start()
        failed: list[str] = []
        self._steps, self._seen = 0, None
        for used in range(first, first + _RESETS):
            try:
                with errors_as_simulator_error(f"resetting to seed {used}"):
                    benchmark.global_seed = used
                    self._seen = benchmark.reset()
            except SimulatorError as error:
                if not isinstance(error.__cause__, NO_SCENE):
                    self.close()
                    raise
                failed.append(str(error))
                continue
            info = {"success": False, "failure": False, "seed": used, "failed_resets": tuple(failed)}
            return self._observe(), info
        self.close()
        raise SimulatorError(f"{self.task}: no seed from {first} to {first + _RESETS - 1} gives a scene; {failed[-1]}")

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Picks and places, or pushes, once.

        Args:
            action: float32 [7], see `embodiment`.

        Returns:
            observation, reward, terminated, truncated, info with "success", "failure" and "verb_fits".

        Raises:
            InvalidAction: the shape is wrong, or a number is not finite or outside the limits; names the dimension.
            SimulatorError: the benchmark broke down, or a motion of the arm does not end. The next `reset` starts the
                benchmark again.
        """
        command = from_action(action)
        benchmark = self._running()
        try:
            with errors_as_simulator_error("stepping the benchmark"):
                self._seen, _, done, told = benchmark.step(command, skip_oracle=not self.oracle_goals)
        except SimulatorError:
            self.close()
            raise
        self._steps += 1
        observation, success, failure = self._observe(), bool(told["success"]), bool(told["failure"])
        if done and not (success or failure):
            self.close()
            raise SimulatorError(f"a motion of the arm did not end within {MOTION_STEPS} simulation steps")
        info = {"success": success, "failure": failure}
        info["verb_fits"] = bool(round(float(action[0])) == int(observation["state"][0]))
        return observation, float(success), bool(done), self._steps >= self.horizon, info

    def render(self) -> NDArray[np.uint8] | None:
        """Both views side by side, uint8 [128, 512, 3], if `render_mode` is "rgb_array", else None."""
        if self.render_mode is None:
            return None
        self._running()
        return np.concatenate([self._view(view) for view in VIEWS], axis=1)

    def close(self) -> None:
        """Stops the benchmark; `reset` would start it again."""
        stop, self._stop, self._benchmark, self._seen = self._stop, None, None, None
        if stop is not None:
            stop()

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark's own environment, privileged information for its oracle, not for policies.

        Raises:
            EnvError: the environment was not reset.
        """
        return self._running()

    def _observation_space(self) -> spaces.Dict:
        items: dict[str, spaces.Space[Any]] = {}
        for view in VIEWS if self.cameras else ():
            items[view] = spaces.Box(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        items["state"] = spaces.Box(0.0, 1.0, (1,), np.float32)
        items["instruction"] = PromptSpace(HEIGHT, WIDTH)
        return spaces.Dict(items)

    def _observe(self) -> Observation:
        seen = self._seen or {}
        observation: Observation = {view: self._view(view) for view in (VIEWS if self.cameras else ())}
        observation["state"] = np.array([seen["ee"]], np.float32)
        observation["instruction"] = self._prompt()
        return observation

    def _prompt(self) -> InterleavedPrompt:
        benchmark = self._running(reset=False)
        images = {name: _upright(asset["rgb"][self.prompt_view]) for name, asset in benchmark.prompt_assets.items()}
        return interleave(benchmark.prompt, images)

    def _view(self, view: str) -> NDArray[np.uint8]:
        return _upright((self._seen or {})["rgb"][view])

    def _running(self, reset: bool = True) -> Benchmark:
        if self._benchmark is None or (reset and self._seen is None):
            raise EnvError("the environment is not running; call reset() first")
        return self._benchmark

    def _start(self) -> Benchmark:
        benchmark = start(self.task, self.level)
        # Also disconnects an environment that is garbage-collected without being closed.
        finalizer = weakref.finalize(self, _stop, benchmark)
        finalizer.atexit = False
        self._benchmark, self._stop = benchmark, finalizer
        return benchmark


def _upright(image: Any) -> NDArray[np.uint8]:
    """The benchmark's image [3, H, W] as [H, W, 3]."""
    return np.ascontiguousarray(np.moveaxis(np.asarray(image, np.uint8), 0, -1))


def _stop(benchmark: Benchmark) -> None:
    """Closes a benchmark; it is not an error if its physics is already disconnected."""
    with contextlib.suppress(SimulatorError), errors_as_simulator_error("stopping the benchmark"):
        benchmark.close()
