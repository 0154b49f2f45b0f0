"""Suite start: the time each command takes to answer, compared with starting Python with NumPy."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import entry_points

from rich.progress import Progress

from embodio.benchmarks.speed.suites import BenchmarkConfig, Row
from embodio.train.commands.data.data import verbs

GOAL = "<= 4"
NUMPY = "import numpy"
_RUN = "import sys; from {module} import {function}; sys.exit({function}(sys.argv[1:]))"


def answers() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Command line as typed -> Python code that runs it, and its arguments.

    These are the lines a command answers without doing its work: help, version, an unknown key, a list.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for entry in sorted(entry_points(group="console_scripts"), key=lambda entry: entry.name):
        if entry.module.startswith("embodio."):
            code = _RUN.format(module=entry.module, function=entry.attr)
            for line in _lines(entry.name):
                found[" ".join((entry.name, *line))] = (code, line)
    return found


def _lines(name: str) -> list[tuple[str, ...]]:
    if name == "embodio-data":
        helps = [line for verb in verbs() for line in ((verb, "--help"), (verb, "no_such_key=1"))]
        return [(), ("--help",), *helps]
    more: dict[str, list[tuple[str, ...]]] = {
        "embodio-envs": [()],
        "embodio-evaluate": [("compare", "--help"), ("merge", "--help")],
        "embodio-rollout": [("list",), ("episodes=many", "out=x"), ("compare", "--help")],
        "embodio-train": [("steps=many", "out=x"), ("experiment=lift", "--help")],
    }
    return [("--help",), ("--version",), ("no_such_key=1",), *more.get(name, [])]


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Measures every line, in turn with starting Python with NumPy; the median counts.

    Args:
        config: `quick` measures only the first line of each command.
        progress: Where progress is shown.
    """
    lines = answers()
    if config.quick:
        lines = {line: given for line, given in lines.items() if len(given[1]) == 1 and given[1][0] == "--help"}
    task = progress.add_task("start", total=len(lines))
    rows = []
    for line, (code, arguments) in lines.items():
        times = [(seconds(code, arguments), seconds(NUMPY)) for _ in range(config.repeats)]
        took, numpy = (statistics.median(column) for column in zip(*times, strict=True))
        rows.append(Row(line, took * 1000, "ms", numpy * 1000, took / numpy, GOAL, "python -c 'import numpy'"))
        progress.advance(task)
    return rows


def seconds(code: str, arguments: Sequence[str] = ()) -> float:
    """The time a fresh Python takes to run some code, in seconds."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False)
    return time.perf_counter() - start
