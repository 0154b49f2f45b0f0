"""VIMA's own benchmark, which the user installs: finds and starts it, and converts its errors."""

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

from embodio.envs.errors import SimulatorError
from embodio.envs.vima.family import SIMULATOR
from embodio.envs.vima.isolation import World, isolate
from embodio.envs.vima.native_output import silenced
from embodio.envs.vima.tasks import PARTITIONS, TRAIN

LOG = logging.getLogger("embodio.envs.vima")

NO_SCENE = (ValueError, AssertionError, LookupError, TypeError, ArithmeticError)
"""Errors of the benchmark when the objects of a seed do not fit; another seed may work."""
_BREAKDOWNS = (RuntimeError, AttributeError, OSError)
"""Errors of the benchmark when something is missing or broken, whatever the seed."""


class Benchmark(Protocol):
    """The used part of `vima_bench.env.VIMAEnvBase`, which has the API of gym before 0.26."""

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


def start(task: str, level: str) -> Benchmark:
    """Creates the benchmark's environment of a task at a level, in its own `World`.

    Raises:
        SimulatorError: it cannot be imported or started.
    """
    SIMULATOR.require()
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
    """Turns errors of the benchmark and its physics into SimulatorError, and logs its output."""
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
    """Activates a world in each method of the benchmark that simulates or renders."""
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
    """Imports the benchmark, with gymnasium in place of gym, which it imports by name."""
    if importlib.util.find_spec("gym") is None:
        sys.modules.setdefault("gym", gymnasium)
    try:
        with silenced():
            found = importlib.import_module("vima_bench")
    except ImportError as error:
        raise SimulatorError(f"vima_bench cannot be imported: {error}; {SIMULATOR.install}") from error
    isolate("vima_bench")
    return found
