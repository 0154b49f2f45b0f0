"""Finding and starting VIMA's own benchmark, which the user installs, with its failures under our error types."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import gymnasium

from embodio.envs.errors import EnvError, SimulatorError
from embodio.envs.vima.tasks import PARTITIONS, TRAIN

REMEDY = (
    "get it with `git clone https://github.com/vimalabs/VIMABench`, put that folder on PYTHONPATH, and `pip install "
    "pybullet==3.2.7 transforms3d kornia kornia-rs opencv-python matplotlib einops importlib_resources`"
)
# What the benchmark raises where objects find no place, or where its own checks of a scene or step fail.
FAILURES = (ValueError, AssertionError, RuntimeError, LookupError, TypeError, ArithmeticError)


class Benchmark(Protocol):
    """What we use of `vima_bench.env.VIMAEnvBase`. It speaks the API of gym before 0.26."""

    global_seed: Any
    prompt: str
    prompt_assets: dict[str, Any]
    meta_info: dict[str, Any]
    task: Any

    def reset(self) -> dict[str, Any]:
        """The first observation of an episode."""

    def step(
        self, action: dict[str, Any], skip_oracle: bool = True
    ) -> tuple[dict[str, Any], float, bool, dict[str, Any]]:
        """Observation, reward (always 0), done, info."""

    def close(self) -> None:
        """Disconnects the physics."""


def require_benchmark() -> None:
    """Raises EnvError unless the package `vima_bench` can be found; imports nothing."""
    if sys.modules.get("vima_bench") is None and importlib.util.find_spec("vima_bench") is None:
        raise EnvError(f"VIMA's benchmark (vima_bench) is not installed; it is not on PyPI: {REMEDY}")


def start(task: str, level: str) -> Benchmark:
    """Makes the benchmark's environment of a task at a level.

    Raises:
        SimulatorError: it cannot be imported or started.
    """
    require_benchmark()
    with errors_as_simulator_error("starting the benchmark"):
        vima_bench = _import()
        specs = vima_bench.PARTITION_TO_SPECS
        tasks = specs[TRAIN] if level == TRAIN else specs["test"][PARTITIONS[level]]
        made: Benchmark = vima_bench.make(task, modalities=["rgb", "segm"], task_kwargs=tasks[task] or {})
    return made


@contextlib.contextmanager
def errors_as_simulator_error(doing: str) -> Iterator[None]:
    """Turns what the benchmark and its physics raise into SimulatorError, and keeps their notes off standard output."""
    failures: tuple[type[BaseException], ...] = FAILURES
    if "pybullet" in sys.modules:
        failures = (*failures, sys.modules["pybullet"].error)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except failures as error:
        raise SimulatorError(f"{doing} failed: {type(error).__name__}: {error}") from error


def _import() -> Any:
    """Imports the benchmark; gymnasium stands in for gym, which it asks for by name."""
    if importlib.util.find_spec("gym") is None:
        sys.modules.setdefault("gym", gymnasium)
    try:
        return importlib.import_module("vima_bench")
    except ImportError as error:
        raise SimulatorError(f"vima_bench cannot be imported: {error}; {REMEDY}") from error
