"""Finding and starting VIMA's own benchmark, which the user installs, with its failures under our error types."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Protocol

import gymnasium

from embodio.envs.errors import EnvError, SimulatorError
from embodio.envs.vima.isolation import World, isolate
from embodio.envs.vima.native_output import silenced
from embodio.envs.vima.tasks import PARTITIONS, TRAIN

LOG = logging.getLogger("embodio.envs.vima")

REMEDY = (
    "get it with `git clone https://github.com/vimalabs/VIMABench`, put that folder on PYTHONPATH, and `pip install "
    "pybullet==3.2.7 transforms3d kornia kornia-rs opencv-python matplotlib einops importlib_resources`"
)
NO_SCENE = (ValueError, AssertionError, LookupError, TypeError, ArithmeticError)
"""What the benchmark raises where the objects of a seed find no place; another seed may give a scene."""
_BREAKDOWNS = (RuntimeError, AttributeError, OSError)
"""What it raises besides where something is missing or broken that no seed can mend."""


class Benchmark(Protocol):
    """What we use of `vima_bench.env.VIMAEnvBase`. It speaks the API of gym before 0.26."""

    global_seed: Any
    prompt: str
    prompt_assets: dict[str, Any]
    meta_info: dict[str, Any]
    task: Any
    world: World

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
    """Makes the benchmark's environment of a task at a level, in a `World` of its own.

    Raises:
        SimulatorError: it cannot be imported or started.
    """
    require_benchmark()
    with contextlib.ExitStack() as undo, errors_as_simulator_error("starting the benchmark"):
        vima_bench = _import()
        specs = vima_bench.PARTITION_TO_SPECS
        tasks = specs[TRAIN] if level == TRAIN else specs["test"][PARTITIONS[level]]
        world = World()
        undo.callback(world.close)
        make = world.bound(vima_bench.make)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="gymnasium")  # of the precision of its spaces
            made: Benchmark = make(task, modalities=["rgb", "segm"], task_kwargs=tasks[task] or {})
        _enclose(made, world)
        undo.pop_all()
    return made


@contextlib.contextmanager
def errors_as_simulator_error(doing: str) -> Iterator[None]:
    """Turns what the benchmark and its physics raise into SimulatorError, and logs what it prints."""
    failures: tuple[type[BaseException], ...] = (*NO_SCENE, *_BREAKDOWNS)
    if "pybullet" in sys.modules:
        failures = (*failures, sys.modules["pybullet"].error)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    except failures as error:
        raise SimulatorError(f"{doing} failed: {type(error).__name__}: {error}") from error
    finally:
        if printed.getvalue():
            LOG.debug("%s: %s", doing, printed.getvalue().strip())


def _enclose(benchmark: Benchmark, world: World) -> None:
    """Puts a world to work in each method of the benchmark that moves or draws something."""
    stop = world.bound(benchmark.close)

    def close() -> None:
        try:
            stop()
        finally:
            world.close()

    benchmark.world = world
    benchmark.reset = world.bound(benchmark.reset)  # type: ignore[method-assign]
    benchmark.step = world.bound(benchmark.step)  # type: ignore[method-assign]
    benchmark.close = close  # type: ignore[method-assign]


def _import() -> Any:
    """Imports the benchmark, with gymnasium in place of gym, which it asks for by name."""
    if importlib.util.find_spec("gym") is None:
        sys.modules.setdefault("gym", gymnasium)
    try:
        with silenced():
            found = importlib.import_module("vima_bench")
    except ImportError as error:
        raise SimulatorError(f"vima_bench cannot be imported: {error}; {REMEDY}") from error
    isolate("vima_bench")
    return found
