"""The episodes of a rollout, played with results, videos and report written along the way."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.rollouts.latency import Latency, append_times, read_times
from embodio.benchmarks.rollouts.player import VIDEOS, Played, Player, PlayerConfig
from embodio.benchmarks.rollouts.recording import recording
from embodio.benchmarks.rollouts.report import write_report
from embodio.benchmarks.rollouts.results import Results, another_video, keep_videos
from embodio.benchmarks.rollouts.summary import successes
from embodio.benchmarks.rollouts.workers import play_here, play_in_workers
from embodio.benchmarks.speed.machine import machine, usable_cores, versions
from embodio.datasets.errors import CollectionError
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.progress import progress_bars
from embodio.datasets.recording.collection_store import STAGING
from embodio.datasets.tasks.parts.spoken import spoken_folder
from embodio.train.command_line.threads import threads
from embodio.train.interruption import Interruption

if TYPE_CHECKING:
    from embodio.benchmarks.rollouts.rollout import RolloutConfig

RESULTS, TIMES, REPORT = "results.json", "latency.csv", "report.html"


def player_config(config: RolloutConfig) -> PlayerConfig:
    """The part of the config that a worker needs."""
    shared_out = max(1, usable_cores() // config.workers)
    return PlayerConfig(
        agent=str(Path(config.agent).absolute()) if Path(config.agent).is_dir() else config.agent,
        robot=config.robot,
        env=config.env,
        horizon=config.horizon,
        replan=config.replan,
        device=config.device,
        threads=threads(config.threads, usual=shared_out),
        seed=config.seed,
        video=config.video > 0,
        folder=config.folder.absolute(),
        staging=None if config.record_folder is None else config.record_folder.absolute() / STAGING,
        perturb=config.condition,
        spoken=str(spoken_folder(config.spoken)) if config.spoken else "",
        instruction=config.instruction,
    )


def rollout(config: RolloutConfig, console: Console | None = None) -> Results:
    """Plays the episodes that are not in the folder yet, and writes results and report.

    Results are written after every episode. An interrupt loses only the running episode: the report is still made, and
    the same command resumes.

    Args:
        config: What to play.
        console: Where progress and table are shown; None for the standard error.

    Raises:
        EnvError: There is no such environment, or the agent was made for another robot.
        AgentError: There is no such agent.
        ResultsError: The folder holds another run.
        BenchmarkError: Another process plays into the folder.
        EngineError: A worker process or a machine died, or there is no such engine.
        CollectionError: The folder to record into holds something else, or is in use.
    """
    console = console or Console(stderr=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(sole_user(config.folder, "playing into", BenchmarkError))
        if config.restart:
            _clear(config.folder)
        player = Player(player_config(config))
        stack.callback(player.close)
        results = _open(config, player)
        if config.record_folder is not None:
            if config.record_folder.resolve() != config.folder.resolve():
                stack.enter_context(sole_user(config.record_folder, "recording into", CollectionError))
            given = (config.record_folder, config.identity, player, results.agent, console)
            stack.enter_context(recording(*given))
        _play_missing(results, player, config, console)
    return results


def _play_missing(results: Results, player: Player, config: RolloutConfig, console: Console) -> None:
    """Plays the episodes that are missing from the results."""
    seeds = config.seeds
    wanted = functools.partial(another_video, results, config.video)
    missing = [seed for seed in seeds if seed not in {row.seed for row in results.rows}]
    if len(missing) < len(seeds):
        console.print(f"{len(seeds) - len(missing)} of {len(seeds)} episodes are already there, in {config.folder}")
    if config.in_workers:
        player.close()
        played = play_in_workers(player_config(config), missing, config.workers, wanted, config.engine)
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
    """The results in the folder if it holds this run, fresh ones if it holds none."""
    path = config.folder / RESULTS
    agent = {"name": config.agent, **player.info}
    if not path.exists():
        return Results(dict(config.identity), agent, versions(), machine())
    results = Results.load(path)
    results.require_same(config.identity, agent, config.folder)
    return results


def _collect(results: Results, played: Iterable[Played], total: int, config: RolloutConfig, console: Console) -> None:
    """Collects episodes as they are played, and writes the results after each of them."""
    with Interruption() as interruption, progress_bars(console, visible=True) as progress:
        task = progress.add_task(f"{config.agent} on {config.env}", total=total)
        for episode in played:
            append_times(config.folder / TIMES, episode.row.seed, episode.milliseconds)
            results.add(episode.row)
            keep_videos(results, config.video, config.folder / VIDEOS)
            results.latency = _latency(results, config.folder)
            results.save(config.folder / RESULTS)
            rate = results.summary.success_rate
            progress.update(task, advance=1, note="" if rate is None else f"success {rate:.0%}")
            interruption.check()


def _latency(results: Results, folder: Path) -> Latency | None:
    times = read_times(folder / TIMES, (row.seed for row in results.rows))
    return Latency.of([value for episode in times.values() for value in episode])


def _finish(results: Results, config: RolloutConfig, console: Console) -> None:
    """Writes results and report, shows the table, and says where to look."""
    results.save(config.folder / RESULTS)
    for unfinished in (config.folder / VIDEOS).glob(".*.mp4"):
        unfinished.unlink()
    report = (config.folder / REPORT).resolve()
    write_report(results, report, config.folder / VIDEOS, config.command)
    console.print(table(results))
    console.print(f"Results: {(config.folder / RESULTS).resolve()}\nReport:  {report.as_uri()}", soft_wrap=True)


def table(results: Results) -> Table:
    """The figures of a rollout as a table for the terminal."""
    summary, latency = results.summary, results.latency
    low, high = summary.wilson_95
    rate = "n/a" if summary.success_rate is None else f"{summary.success_rate:.1%}"
    shown = Table(title=f"{results.settings['agent']} on {results.settings['env']}", show_header=False)
    shown.add_row("success rate", f"{rate}  (95% interval {low:.1%} to {high:.1%})", style="bold")
    if summary.spl is not None:
        shown.add_row("SPL", summary.spl_in_words)
    shown.add_row("episodes", str(summary.episodes))
    for status, count in summary.shown.items():
        note = "  (simulator; not in the success rate)" if status == "error" else ""
        shown.add_row(f"  {status}", f"{count}{note}")
    if summary.any_step_rate != summary.success_rate:
        shown.add_row("success at any step", f"{summary.any_step_rate:.1%}")
    if summary.mean_steps is not None:
        shown.add_row("steps to success", f"{summary.mean_steps:.1f} (mean)")
    by_task = results.by_task
    for group in (by_task.groups, by_task.tasks):
        for name, figures in group.items():
            shown.add_row(f"  {name}", successes(figures))
    for name, mean in by_task.means.items():
        shown.add_row(name, f"{mean:.1%}")
    if latency is not None:
        times = f"{latency.p50:.1f} / {latency.p95:.1f} / {latency.p99:.1f} ms (p50 / p95 / p99)"
        shown.add_row("time to act", times)
    return shown
