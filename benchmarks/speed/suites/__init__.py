"""Benchmark suites: their config, the figures they return, and the lookup by name.

A suite is a module `benchmarks/speed/suites/<name>.py` with one public function:

    def run(config: BenchmarkConfig, progress: Progress) -> list[Row]

Suites are imported only when requested.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.benchmarks.errors import BenchmarkError
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, POSITIVE, require_ranges
from embodio.train.command_line.schema import UsageError, nearest

if TYPE_CHECKING:
    from rich.progress import Progress

SUITES = {
    "model": "the network at size large: encoding, decoding, int8 weights, memory",
    "data": "reading RLDS data and making batches of it",
    "agent": "an agent that acts: latency and throughput",
    "start": "how long the commands take to answer",
    "train": "a training step: packed against padded, and against its bare matrix products",
    "peers": "ACT and Diffusion Policy of LeRobot on the demonstrations and the seeds of an agent",
}
"""Name of each suite -> what it measures."""

_GOAL = re.compile(r"(>=|<=) (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class PeersConfig:
    """Settings of suite peers, which needs LEROBOT_PYTHON, a Python that has LeRobot.

    Attributes:
        agent: Folder of a checkpoint that embodio-train made from one data set; the peers learn from the same episodes.
        names: Peers: act, diffusion, and both with settings that are fitted to the time: act_fitted, diffusion_fitted.
        minutes: Time for which each peer is trained on one thread: processor time, so a busy machine changes nothing.
        env: Environment in which all are played.
        episodes: Episodes of each.
        seed: Seed of the first episode.
    """

    agent: str = ""
    names: tuple[str, ...] = ("act", "act_fitted", "diffusion", "diffusion_fitted")
    minutes: float = 10.0
    env: str = "robosuite/lift"
    episodes: int = 100
    seed: int = 770000

    def __post_init__(self) -> None:
        require_ranges(self, minutes=POSITIVE, episodes=AT_LEAST_ONE, seed=COUNT)


@dataclass(frozen=True)
class BenchmarkConfig:
    """Settings of a benchmark.

    Attributes:
        suite: model, data, agent, start, train or peers.
        out: Folder for results.json; null writes to runs/benchmark-<suite>.
        repeats: How often each thing is measured; what is compared is measured in turn, and the fastest counts.
        threads: Threads of each product of matrices.
        corpus: Folder of a corpus whose examples suite train takes; null takes some as long as the paper's.
        quick: Measure tiny versions, to see whether the suite runs; the figures mean nothing.
        peers: What suite peers compares.
    """

    suite: str
    out: Path | None = None
    repeats: int = 3
    threads: int = 1
    corpus: Path | None = None
    quick: bool = False
    peers: PeersConfig = field(default_factory=PeersConfig)

    def __post_init__(self) -> None:
        if self.suite not in SUITES:
            guess = nearest(self.suite, SUITES)
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise UsageError(f"suite: got {self.suite!r}, expected one of {', '.join(SUITES)}{hint}")
        require_ranges(self, repeats=AT_LEAST_ONE, threads=AT_LEAST_ONE)
        if self.corpus is not None and self.suite != "train":
            raise UsageError(f"corpus: suite {self.suite} has no use for one; leave it out, or take suite=train")

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return Path("runs") / f"benchmark-{self.suite}" if self.out is None else self.out


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        name: What was measured.
        value: The figure.
        unit: Its unit, such as "ms", "MB" or "examples/s".
        reference: The figure it is compared with, in the same unit and from the same run; None without one.
        ratio: The comparison in its natural direction: "times as fast", "times as large". None without a reference.
        goal: Target of the ratio (or of the value, without a ratio): ">= 6", "<= 1.3", or "" for no goal.
        note: What the reference is, or what a reader must know to interpret the figure.
    """

    name: str
    value: float
    unit: str
    reference: float | None = None
    ratio: float | None = None
    goal: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.goal and not _GOAL.fullmatch(self.goal):
            raise BenchmarkError(f"the goal of {self.name!r} is {self.goal!r}; write it as '>= 6' or '<= 1.3'")

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None if there is none."""
        found = _GOAL.fullmatch(self.goal)
        if found is None:
            return None
        reached, bound = self.value if self.ratio is None else self.ratio, float(found.group(2))
        if math.isnan(reached):
            return False
        return reached >= bound if found.group(1) == ">=" else reached <= bound

    def to_dict(self) -> dict[str, Any]:
        """As JSON values: the fields, and whether the goal is reached."""
        return {**asdict(self), "reached": self.reached}


Suite = Callable[[BenchmarkConfig, "Progress"], list[Row]]


def load_suite(name: str) -> Suite:
    """The `run` function of a suite, which is imported now.

    Raises:
        BenchmarkError: There is no such suite in this installation.
    """
    module = f"{__name__}.{name}"
    if name not in SUITES or importlib.util.find_spec(module) is None:
        there = [known for known in SUITES if importlib.util.find_spec(f"{__name__}.{known}")]
        raise BenchmarkError(f"there is no suite {name!r} here; there are: {', '.join(there) or 'none'}")
    run: Suite = importlib.import_module(module).run
    return run
