"""Both agents of a comparison, played on the same seeds; each episode is kept, so the same command resumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from embodio.benchmarks.errors import ComparisonError
from embodio.benchmarks.rollouts.comparison.comparison import p_value_of, paired
from embodio.benchmarks.rollouts.comparison.runs import AgentRuns, gathered
from embodio.benchmarks.rollouts.play import rollout
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import RolloutConfig

if TYPE_CHECKING:
    from embodio.benchmarks.rollouts.comparison.command import CompareConfig


def play_both(config: CompareConfig, console: Console) -> tuple[AgentRuns, AgentRuns]:
    """Plays both agents in every environment, or what is missing of it.

    Args:
        config: says who plays what; `out` holds a folder for each agent.
        console: where progress is shown.

    Returns:
        The episodes of A and of B.

    Raises:
        ComparisonError: A and B are the same agent.
        EnvError, AgentError, ResultsError, BenchmarkError, EngineError: as of `rollout`.
    """
    if config.a == config.b:
        raise ComparisonError(f"A and B are both {config.a}. Name two agents")
    found: list[dict[Path, Results]] = [{}, {}]
    for env in config.env:
        for side, results in zip(found, _play(config, env, console), strict=True):
            side[Path(env)] = results
    folders = [_folder(config, side) for side in ("a", "b")]
    return gathered(folders[0], found[0]), gathered(folders[1], found[1])


def _play(config: CompareConfig, env: str, console: Console) -> tuple[Results, Results]:
    """The results of both agents in one environment."""
    if not config.sequential:
        return _both(config, env, config.episodes, console)
    threshold = config.alpha / len(config.env)  # so that what stops the play survives Holm's correction
    for count in range(config.look, config.episodes + config.look, config.look):
        count = min(count, config.episodes)
        results = _both(config, env, count, Console(quiet=True))
        rows = [{row.seed: row for row in one.rows} for one in results]
        pairing = paired(rows[0], rows[1], config.judge)
        p_value, table = p_value_of(pairing, sequential=True), pairing.table
        console.print(f"{env}: {count} episodes of each, only A {table.only_a}, only B {table.only_b}, p {p_value:.4f}")
        if p_value <= threshold:
            break
    return results


def _both(config: CompareConfig, env: str, episodes: int, console: Console) -> tuple[Results, Results]:
    names = ("seed", "workers", "threads", "replan", "horizon", "device", "engine", "perturb", "robot")
    settings = {name: getattr(config, name) for name in names}
    played = []
    for side, agent in (("a", config.a), ("b", config.b)):
        out = _folder(config, side) / env.replace("/", "-").replace(":", "-")
        played.append(rollout(RolloutConfig(out, agent, env, episodes, video=0, **settings), console))
    return played[0], played[1]


def _folder(config: CompareConfig, side: str) -> Path:
    return Path(config.out or ".") / side
