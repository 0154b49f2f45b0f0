"""Suite peers: policies of LeRobot, trained on the demonstrations of an agent and played on its seeds, against it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from embodio.agent.format.observation import ObservationSpec, blank_observation
from embodio.benchmarks.comparing.words import p_in_words, points
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.peers.peer_policy import WEIGHTS, PeerPolicy
from embodio.benchmarks.peers.peers import PEERS, TrainedOn, train_peer
from embodio.benchmarks.peers.program import lerobot_python
from embodio.benchmarks.rollouts.comparison.comparison import compare
from embodio.benchmarks.rollouts.comparison.runs import read_runs
from embodio.benchmarks.rollouts.play import rollout
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.rollout import RolloutConfig
from embodio.benchmarks.speed.suites import BenchmarkConfig, Row
from embodio.benchmarks.statistics.verdicts import Rule
from embodio.envs import make_env
from embodio.envs.embodiment import Embodiment
from embodio.train.command_line.schema import UsageError

Figures = dict[tuple[str, str], float]
"""(Name, unit) -> figure."""

_OURS = """
import sys
from embodio.agent import Agent
from embodio.agent.format.observation import blank_observation
from embodio.model.process_memory import peak_memory
agent = Agent.load(sys.argv[1])
agent.reset("act")
agent.act(blank_observation(agent.format.spec))
print(peak_memory())
"""


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Trains and plays what is missing in the folder, so the same command resumes.

    Args:
        config: `peers`, `threads`, `folder` and `quick` are read.
        progress: Where progress is shown.

    Raises:
        UsageError: There is no agent, or no such peer.
        PeerError: No Python has LeRobot, or LeRobot's side fails.
        ResumeError, DatasetError, AgentError, EnvError: The agent, its data or the environment cannot be used.
    """
    agent, names = config.peers.agent, config.peers.names
    if not agent:
        raise UsageError("peers.agent: name the checkpoint that the peers are compared with; they learn from its data")
    for name in names:
        if name not in PEERS:
            raise UsageError(f"peers.names: there is no peer {name!r}; there are {', '.join(PEERS)}")
    lerobot_python()
    shown = TrainedOn.of(Path(agent))
    ours = _play(config, "agent", agent)
    figures = _figures(ours, Path(agent), _memory_of_ours(agent))
    rows = [_success("agent", ours, None, "")]
    task = progress.add_task("peers", total=len(names))
    for name in names:

        def report(said: Mapping[str, Any], name: str = name) -> None:
            progress.update(
                task, description=f"{name}: {said['minutes']} min, step {said['step']}, loss {said['loss']:.3f}"
            )

        minutes = 0.01 if config.quick else config.peers.minutes
        folder = train_peer(name, shown, minutes, config.folder, report)
        rows += _compared(config, name, folder, ours, figures)
        progress.advance(task)
    return rows


def _play(config: BenchmarkConfig, name: str, agent: str) -> Results:
    """The rollout of an agent or a peer."""
    peers = config.peers
    episodes = 1 if config.quick else peers.episodes
    out = config.folder / name / "rollout"
    settings = RolloutConfig(out, agent, peers.env, episodes, peers.seed, video=0, threads=config.threads)
    return rollout(settings, Console(quiet=True))


def _compared(config: BenchmarkConfig, name: str, folder: Path, ours: Results, figures: Figures) -> list[Row]:
    """The figures of a peer, each against that of the agent."""
    played = _play(config, name, str(folder))
    a, b = (read_runs(config.folder / one / "rollout") for one in (name, "agent"))
    found = compare(a, b, Rule()).pooled
    low, high = found.interval
    learned = f"{played.agent['steps']} steps, {played.agent['parameters']:,} parameters"
    against = (
        f"{points(found.table.difference)} points ({points(low)} to {points(high)}), p {p_in_words(found.p_value)}"
    )
    rows = [_success(name, played, ours.summary.success_rate, f"{found.verdict.word}: {against}; {learned}")]
    for (what, unit), value in _figures(played, folder, _memory(folder, config)).items():
        rows.append(Row(f"{name}: {what}", value, unit, figures[what, unit], figures[what, unit] / value))
    return rows


def _success(name: str, played: Results, ours: float | None, note: str) -> Row:
    summary = played.summary
    low, high = summary.wilson_95
    steps = "" if summary.mean_steps is None else f"; {summary.mean_steps:.1f} steps to success"
    said = f"{100 * low:.1f} to {100 * high:.1f}{steps}" + (f"; {note}" if note else "")
    return Row(
        f"{name}: success", 100 * (summary.success_rate or 0.0), "%", None if ours is None else 100 * ours, note=said
    )


def _figures(played: Results, folder: Path, memory: float) -> Figures:
    """Time to act over all steps, those that plan and those that do not, memory, size: (name, unit) -> figure."""
    if played.latency is None:
        raise BenchmarkError(f"{played.settings['agent']} never acted: every episode broke down. Delete its rollout")
    times = {("mean time to act", "ms"): played.latency.mean, ("p99 of the time to act", "ms"): played.latency.p99}
    return times | {("memory", "MB"): memory, ("weights on disk", "MB"): (folder / WEIGHTS).stat().st_size / 1e6}


def _memory(folder: Path, config: BenchmarkConfig) -> float:
    """Peak memory of a peer that loaded and acted once, in MB."""
    env = make_env(config.peers.env)
    embodiment: Embodiment = env.get_wrapper_attr("embodiment")
    env.close()
    peer = PeerPolicy(folder, embodiment)
    try:
        peer.reset()
        peer.act(blank_observation(ObservationSpec(embodiment.cameras, embodiment.state)))
        return peer.memory()
    finally:
        peer.close()


def _memory_of_ours(agent: str) -> float:
    """The same of an agent of ours, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", _OURS, agent], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{agent} cannot act alone:\n{done.stderr[-2000:]}")
    return float(done.stdout)
