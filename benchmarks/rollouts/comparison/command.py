"""`embodio-rollout compare`: is A better than B? From rollouts that exist, or by playing both."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embodio.agent.errors import AgentError
from embodio.benchmarks.errors import BenchmarkError
from embodio.datasets.engines import EngineError
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.train.command_line.arguments import with_names
from embodio.train.command_line.cli import run
from embodio.train.command_line.job_settings import require_conditions
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, PROPER_SHARE, Range, require_ranges
from embodio.train.command_line.schema import UsageError


@dataclass(frozen=True)
class CompareConfig:
    """Settings of a comparison.

    Attributes:
        a: folder of rollouts; with env=..., an agent as embodio-rollout takes it.
        b: the same for B, with which A is compared.
        out: folder for comparison.json and comparison.html, and for the rollouts that are played; null only prints.
        margin: largest difference of success rates that counts as equal; 0.05 is five percentage points.
        alpha: probability of finding a difference that is not there, over all tasks.
        power: probability of finding the observed difference that the number of episodes still needed is made for.
        judge: success that counts, last (the task is done at the last step) or any (it was done at any step).
        sequential: stop playing as soon as a difference is found; the test allows for looking that often.
        look: pairs that are played between two looks with sequential=true.
        env: environments in which both agents are played; empty compares the rollouts in the folders.
        episodes: episodes of each agent in each environment; with sequential=true at most.
        seed: seed of the first episode.
        workers: processes that play at the same time.
        threads: threads of the network in each process; 0 takes OMP_NUM_THREADS, or divides the cores.
        replan: actions played before an agent plans again; null for its own.
        horizon: steps after which an episode is cut off; null for the environment's own.
        device: where the networks run, cpu or cuda.
        perturb: perturbations of the episodes, such as camera:3+light:3; "" plays none.
        engine: who plays where workers is above 1, local (processes of this machine) or ray.
        robot: the robot as which both agents act, as embodio-rollout takes it; "" picks by the environment.
    """

    a: str
    b: str
    out: Path | None = None
    margin: float = 0.05
    alpha: float = 0.05
    power: float = 0.8
    judge: Literal["last", "any"] = "last"
    sequential: bool = False
    look: int = 10
    env: tuple[str, ...] = ()
    episodes: int = 100
    seed: int = 10000
    workers: int = 1
    threads: int = 0
    replan: int | None = None
    horizon: int | None = None
    device: str = "cpu"
    perturb: str = ""
    engine: str = "local"
    robot: str = ""

    def __post_init__(self) -> None:
        require_ranges(
            self, alpha=PROPER_SHARE, power=PROPER_SHARE, margin=Range(0, 1, below=True), look=AT_LEAST_ONE, seed=COUNT
        )
        require_ranges(self, episodes=AT_LEAST_ONE, workers=AT_LEAST_ONE, threads=COUNT)
        require_ranges(self, replan=AT_LEAST_ONE, horizon=AT_LEAST_ONE)
        if len(require_conditions(self.perturb, 3)) > 1:
            raise UsageError(f"perturb: {self.perturb!r} are several; join what is applied together with '+'")
        if self.env and self.out is None:
            raise UsageError("'out' must be given where agents are played: out=runs/comparison")
        if self.robot and not self.env:
            raise UsageError("robot: rollouts that exist have theirs; give env=... to play, or leave it out")

    @property
    def command(self) -> str:
        """The command line that makes the same comparison."""
        names = ("out", "margin", "alpha", "power", "judge", "sequential", *(("look",) if self.sequential else ()))
        unusual = tuple(name for name in ("perturb", "robot") if getattr(self, name))
        played = ("episodes", "seed", "replan", "horizon", *unusual) if self.env else ()
        given = {name: getattr(self, name) for name in names + played if getattr(self, name) is not None}
        envs = [f"env=[{','.join(self.env)}]"] if self.env else []
        settings = [
            f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in given.items()
        ]
        return shlex.join(["embodio-rollout", "compare", self.a, self.b, *envs, *settings])


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""
    return run(
        CompareConfig,
        _compare,
        with_names(arguments, ("a", "b")),
        prog="embodio-rollout compare",
        description="Says whether A is better than B, worse, equal, or how many more episodes that takes.",
        examples=(
            "embodio-rollout compare runs/lift-nano runs/expert out=runs/comparison",
            "embodio-rollout compare runs/new/checkpoint lift-nano env=[robosuite/lift] out=runs/comparison",
            "embodio-rollout compare runs/new/checkpoint lift-nano env=[robosuite/lift] sequential=true out=runs/quick",
        ),
        user_errors=(EnvError, AgentError, ModelError, BenchmarkError, EngineError),
    )


def _compare(config: CompareConfig) -> None:
    from rich.console import Console

    from embodio.benchmarks.rollouts.comparison.comparison import compare
    from embodio.benchmarks.rollouts.comparison.playing import play_both
    from embodio.benchmarks.rollouts.comparison.runs import read_runs
    from embodio.benchmarks.rollouts.comparison.shown import table, write
    from embodio.benchmarks.statistics.verdicts import Rule

    console = Console(stderr=True, highlight=False)
    rule = Rule(config.margin, config.alpha, config.power)
    a, b = play_both(config, console) if config.env else (read_runs(Path(config.a)), read_runs(Path(config.b)))
    comparison = compare(a, b, rule, config.judge, config.sequential)
    Console(highlight=False).print(table(comparison))
    if config.out is not None:
        page = write(comparison, config.out, config.command)
        console.print(f"Comparison: {page.as_uri()}", soft_wrap=True)
