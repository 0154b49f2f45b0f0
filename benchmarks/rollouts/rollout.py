"""embodio-rollout: plays an agent in an environment and reports how often it succeeds."""

from __future__ import annotations

import contextlib
import functools
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from embodio.agent.errors import AgentError
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.rollouts.latency import Latency, append_times, read_times
from embodio.benchmarks.rollouts.player import VIDEOS, Played, Player, PlayerConfig
from embodio.benchmarks.rollouts.recording import recording
from embodio.benchmarks.rollouts.report import write_report
from embodio.benchmarks.rollouts.results import STATUSES, Results, another_video, keep_videos
from embodio.benchmarks.rollouts.workers import play_here, play_in_workers
from embodio.benchmarks.speed.machine import machine, usable_cores, versions
from embodio.datasets.errors import CollectionError
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.recording.collection_store import STAGING
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, require_ranges
from embodio.train.command_line.threads import threads
from embodio.train.commands.envs import main as list_environments
from embodio.train.interruption import Interruption

RESULTS, TIMES, REPORT = "results.json", "latency.csv", "report.html"


@dataclass(frozen=True)
class RolloutConfig:
    """Settings of a rollout.

    Attributes:
        agent: Name (lift-nano) or folder of a checkpoint, or "expert" for the environment's scripted expert.
        env: Name of the environment, or module:Class for one of your own.
        episodes: Number of episodes; asking for more later adds to those that are there.
        seed: Seed of the first episode; episode i uses seed + i.
        out: Folder for results.json, report.html, latency.csv and the videos.
        video: Videos of at most this many episodes are kept: of failures first, then of those played first.
        record: Folder for the episodes as RLDS, with success in their metadata; null records none.
        workers: Processes that play at the same time.
        threads: Threads of the network in each of them; 0 takes OMP_NUM_THREADS, or shares the cores out.
        replan: Actions played before the agent plans again; null for the agent's own.
        horizon: Steps after which an episode is cut off; null for the environment's own.
        device: Where the network runs, cpu or cuda.
        restart: Throw away what the folder holds instead of going on with it.
    """

    out: Path
    agent: str = "lift-nano"
    env: str = "robosuite/lift"
    episodes: int = 100
    seed: int = 10000
    video: int = 3
    record: Path | None = None
    workers: int = 1
    threads: int = 0
    replan: int | None = None
    horizon: int | None = None
    device: str = "cpu"
    restart: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, episodes=AT_LEAST_ONE, seed=COUNT, video=COUNT, workers=AT_LEAST_ONE, threads=COUNT)
        require_ranges(self, replan=AT_LEAST_ONE, horizon=AT_LEAST_ONE)

    @property
    def identity(self) -> dict[str, str | int | None]:
        """The settings that decide how an episode goes; a folder holds episodes of one such choice."""
        names = ("agent", "env", "seed", "replan", "horizon", "device")
        return {name: getattr(self, name) for name in names}

    @property
    def command(self) -> str:
        """What to type to get the same episodes."""
        names = ("agent", "env", "episodes", "seed", "replan", "horizon", "video")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return shlex.join(["embodio-rollout", *(f"{name}={value}" for name, value in given.items()), f"out={self.out}"])

    @property
    def player(self) -> PlayerConfig:
        """The part that a worker needs."""
        shared_out = max(1, usable_cores() // self.workers)
        return PlayerConfig(
            agent=self.agent,
            env=self.env,
            horizon=self.horizon,
            replan=self.replan,
            device=self.device,
            threads=threads(self.threads, usual=shared_out),
            seed=self.seed,
            video=self.video > 0,
            folder=self.out,
            staging=None if self.record is None else self.record / STAGING,
        )


def rollout(config: RolloutConfig, console: Console | None = None) -> Results:
    """Plays the episodes that are not in the folder yet, and writes results and report.

    Results are written after every episode. An interrupt loses the running episode only: the report is still made, and
    the same command goes on.

    Args:
        config: What to play.
        console: Where progress and table are shown; None for the standard error.

    Raises:
        EnvError: There is no such environment, or the agent was made for another robot.
        AgentError: There is no such agent.
        ResultsError: The folder holds another run.
        BenchmarkError: Another process plays into the folder.
        WorkerDied: A worker process died.
        CollectionError: The folder to record into holds something else, or is in use.
    """
    console = console or Console(stderr=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(sole_user(config.out, "playing into", BenchmarkError))
        if config.restart:
            _clear(config.out)
        player = Player(config.player)
        stack.callback(player.close)
        results = _open(config, player)
        if config.record is not None:
            if config.record.resolve() != config.out.resolve():
                stack.enter_context(sole_user(config.record, "recording into", CollectionError))
            given = (config.record, config.identity, player, results.agent, console)
            stack.enter_context(recording(*given))
        _play_missing(results, player, config, console)
    return results


def _play_missing(results: Results, player: Player, config: RolloutConfig, console: Console) -> None:
    """Plays the episodes that the results lack."""
    seeds = [config.seed + index for index in range(config.episodes)]
    wanted = functools.partial(another_video, results, config.video)
    missing = [seed for seed in seeds if seed not in {row.seed for row in results.rows}]
    if len(missing) < len(seeds):
        console.print(f"{len(seeds) - len(missing)} of {len(seeds)} episodes are there already, in {config.out}")
    if config.workers > 1:
        player.close()
        played = play_in_workers(config.player, missing, min(config.workers, max(1, len(missing))), wanted)
    else:
        played = play_here(player, missing, wanted)
    try:
        _collect(results, played, len(missing), config, console)
    finally:
        _finish(results, config, console)


def _clear(folder: Path) -> None:
    """Removes what an earlier rollout wrote, and nothing else."""
    for name in (RESULTS, TIMES, REPORT):
        (folder / name).unlink(missing_ok=True)
    for video in (folder / VIDEOS).glob("*.mp4"):
        video.unlink()


def _open(config: RolloutConfig, player: Player) -> Results:
    """The results in the folder if it holds this very run, fresh ones if it holds none."""
    path = config.out / RESULTS
    agent = {"name": config.agent, **player.info}
    if not path.exists():
        return Results(dict(config.identity), agent, versions(), machine())
    results = Results.load(path)
    results.require_same(config.identity, agent, config.out)
    return results


def _collect(results: Results, played: Iterable[Played], total: int, config: RolloutConfig, console: Console) -> None:
    """Takes episodes in as they are played, and writes the results after each of them."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Interruption() as interruption, Progress(*columns, console=console) as progress:
        task = progress.add_task(f"{config.agent} on {config.env}", total=total, rate="")
        for episode in played:
            append_times(config.out / TIMES, episode.row.seed, episode.milliseconds)
            results.add(episode.row)
            keep_videos(results, config.video, config.out / VIDEOS)
            results.latency = _latency(results, config.out)
            results.save(config.out / RESULTS)
            rate = results.summary.success_rate
            progress.update(task, advance=1, rate="" if rate is None else f"success {rate:.0%}")
            interruption.check()


def _latency(results: Results, folder: Path) -> Latency | None:
    times = read_times(folder / TIMES, (row.seed for row in results.rows))
    return Latency.of([value for episode in times.values() for value in episode])


def _finish(results: Results, config: RolloutConfig, console: Console) -> None:
    """Writes results and report, shows the table, and says where to look."""
    results.save(config.out / RESULTS)
    for unfinished in (config.out / VIDEOS).glob(".*.mp4"):
        unfinished.unlink()
    report = (config.out / REPORT).resolve()
    write_report(results, report, config.out / VIDEOS, config.command)
    console.print(table(results))
    console.print(f"Results: {(config.out / RESULTS).resolve()}\nReport:  {report.as_uri()}", soft_wrap=True)


def table(results: Results) -> Table:
    """The figures of a rollout as a table for the terminal."""
    summary, latency = results.summary, results.latency
    low, high = summary.wilson_95
    rate = "n/a" if summary.success_rate is None else f"{summary.success_rate:.1%}"
    shown = Table(title=f"{results.settings['agent']} on {results.settings['env']}", show_header=False)
    shown.add_row("success rate", f"{rate}  (95% interval {low:.1%} to {high:.1%})", style="bold")
    shown.add_row("episodes", str(summary.episodes))
    for status in STATUSES:
        note = "  (simulator; not in the success rate)" if status == "error" else ""
        shown.add_row(f"  {status}", f"{summary.counts[status]}{note}")
    if summary.mean_steps is not None:
        shown.add_row("steps to success", f"{summary.mean_steps:.1f} (mean)")
    if latency is not None:
        times = f"{latency.p50:.1f} / {latency.p95:.1f} / {latency.p99:.1f} ms (p50 / p95 / p99)"
        shown.add_row("time to act", times)
    return shown


def _main(config: RolloutConfig) -> None:
    results = rollout(config)
    broken = [row for row in results.rows if row.status == "error"]
    if config.record is not None and broken:
        raise BenchmarkError(
            f"{len(broken)} of {len(results.rows)} episodes are missing from {config.record}, as the simulator broke "
            f"down. Seed {broken[0].seed}: {broken[0].message}. restart=true plays all of them again"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """The command `embodio-rollout`; returns its exit code. `embodio-rollout list` shows the environments."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["list"]:
        return list_environments(arguments[1:])
    return run(
        RolloutConfig,
        _main,
        arguments,
        prog="embodio-rollout",
        description="Plays an agent in an environment and reports how often it succeeds, with videos.",
        examples=(
            "embodio-rollout agent=lift-nano env=robosuite/lift episodes=100 seed=10000 video=3 out=runs/lift-nano",
            "embodio-rollout agent=lift-nano episodes=20 record=data/lift_nano out=runs/recorded",
            "embodio-rollout agent=expert episodes=20 out=runs/expert",
            "embodio-rollout list",
        ),
        user_errors=(EnvError, AgentError, ModelError, BenchmarkError, CollectionError),
    )
