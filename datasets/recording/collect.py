"""Collection of a scripted expert's demonstrations into an RLDS data set, in several processes and resumable."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import gymnasium

from embodio.datasets.engines import named_engine
from embodio.datasets.episodes.recorded.prompt import has_prompts
from embodio.datasets.errors import CollectionError
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.files.shards import JobShard
from embodio.datasets.progress import progress_bars
from embodio.datasets.recording.collection_store import CollectedEpisode, CollectionSettings, CollectionStore, stage
from embodio.datasets.recording.demonstration import check_noise, record_demonstration
from embodio.datasets.recording.learner import Learner
from embodio.datasets.stream.worker_process import follow_parent, starting_workers
from embodio.envs.embodiment import Embodiment
from embodio.envs.policy import Policy
from embodio.envs.registry import make_env, make_expert

_HOPELESS = 3  # consecutive simulator errors at the start before giving up
_WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"),
    "OMP_WAIT_POLICY": "passive",
}


class DemonstrationSource(Protocol):
    """A picklable factory of a worker's environment and expert."""

    @property
    def embodiment(self) -> Embodiment:
        """The robot of the environment."""

    @property
    def prompts(self) -> bool:
        """Whether its instructions may hold more than words."""

    def build(self) -> tuple[gymnasium.Env[Any, Any], Policy]:
        """Returns a fresh environment and its expert; called once in every worker process."""


@dataclass(frozen=True)
class RegisteredSource:
    """An environment and expert that `embodio.envs` knows by name.

    Attributes:
        name: e.g. "robosuite/lift".
        options: further arguments of `make_env`.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def embodiment(self) -> Embodiment:
        """The robot of the environment, with these options."""
        embodiment: Embodiment = make_env(self.name, **self.options).get_wrapper_attr("embodiment")
        return embodiment

    @property
    def prompts(self) -> bool:
        """Whether its instructions may hold more than words."""
        return has_prompts(make_env(self.name, **self.options).observation_space)

    def build(self) -> tuple[gymnasium.Env[Any, Any], Policy]:
        """Returns a fresh environment and its expert."""
        env = make_env(self.name, **self.options)
        return env, make_expert(self.name, env)


@dataclass(frozen=True)
class CollectionSummary:
    """The state of a collection.

    Attributes:
        folder: of the data set.
        episodes: number of episodes in the data set.
        attempted: episodes played to their end, over all runs.
        statuses: number that ended as "success", "failure", "timeout"; and as "error" in this run.
        steps: actions executed in them.
        resumed: episodes from earlier runs.
        seconds: wall time of this run.
        errors: one line for each simulator error of this run; the next run retries these episodes.
    """

    folder: Path
    episodes: int
    attempted: int
    statuses: Mapping[str, int]
    steps: int
    resumed: int
    seconds: float
    errors: Sequence[str]


def collect(
    env_name: str,
    episodes: int,
    seed: int,
    out: str | Path,
    *,
    noise: Sequence[float] = (0.0, 0.2, 0.4),
    workers: int = 2,
    keep_failures: bool = False,
    env_options: Mapping[str, Any] | None = None,
    source: DemonstrationSource | None = None,
    progress: bool = True,
    engine: str = "local",
    shard: str = "",
    learner: Learner | None = None,
) -> CollectionSummary:
    """Collects demonstrations into a folder that tfds, rlds and `RLDSReader` read.

    Episode i plays the scene of seed + i, with noise of level noise[i % len(noise)], on any engine and with any number
    of workers. An interrupted run loses no finished episode: call again to resume or to extend it.

    Args:
        env_name: name of the environment.
        episodes: total number in the collection, including existing ones.
        seed: of episode 0.
        out: folder of the data set.
        noise: levels, as fractions of half the range of each continuous action dimension.
        workers: number of processes.
        keep_failures: whether to keep episodes in which the expert fails.
        env_options: further arguments of the environment.
        source: builds environment and expert; by default those registered under `env_name`.
        progress: whether to draw a progress bar on the terminal.
        engine: who plays, "local" in processes of this machine or "ray" on a cluster.
        shard: the part of the episodes to collect, such as "2/8", in a folder of its own inside `out`; "" for all.
        learner: who plays before the expert takes over; None for nobody.

    Returns:
        What the collection, or the shard, holds now.

    Raises:
        CollectionMismatch: the folder holds a collection with other settings.
        CollectionError: an argument is out of range, the folder is in use, a worker died, or nothing can be kept.
        EngineError: there is no such engine, or its machines died.
        KeyboardInterrupt: Ctrl-C; the episodes that were being played are finished first.
    """
    _check(episodes, workers, seed)
    begin = time.monotonic()
    source = source or RegisteredSource(env_name, env_options or {})
    settings = _settings(source, env_name, seed, noise, keep_failures, env_options, learner)
    settings, folder, indices = _of_shard(settings, Path(out), episodes, shard)
    with sole_user(folder, "collecting into", CollectionError):
        store = CollectionStore(folder, settings)
        done = {row.index for row in [*store.published(), *store.staged()]}
        work = partial(_play_one, source, settings, store.staging.absolute(), learner)
        errors, messages = _play(sorted({*indices} - done), work, Players(engine, workers), len(done), progress)
        store.assemble()
        rows = store.published()
    if not rows:
        raise CollectionError(f"no episode was finished. {messages[0] if messages else ''}")
    return _summary(folder, rows, errors, len(done), time.monotonic() - begin, messages)


def _check(episodes: int, workers: int, seed: int) -> None:
    """Refuses numbers out of range; raises CollectionError."""
    if episodes < 1 or workers < 1 or seed < 0:
        raise CollectionError(f"episodes={episodes}, workers={workers}, seed={seed}: need at least 1, 1 and 0")


def _of_shard(
    settings: CollectionSettings, out: Path, episodes: int, shard: str
) -> tuple[CollectionSettings, Path, range]:
    """Settings, folder and numbers of the episodes of a shard, or of all."""
    if not shard:
        return settings, out, range(episodes)
    part = JobShard.of(shard)
    return replace(settings, shard=part.text, episodes=episodes), out / part.folder, part.indices(episodes)


def _settings(
    source: DemonstrationSource,
    env_name: str,
    seed: int,
    noise: Sequence[float],
    keep_failures: bool,
    env_options: Mapping[str, Any] | None,
    learner: Learner | None,
) -> CollectionSettings:
    """The settings that a folder must match to be extended; raises CollectionError for senseless noise."""
    levels = tuple(float(level) for level in noise)
    check_noise(levels)
    settings = CollectionSettings(
        environment=env_name,
        seed=seed,
        noise=levels,
        keep_failures=keep_failures,
        env_options=dict(env_options or {}),
        embodiment=source.embodiment.to_dict(),
        prompts=source.prompts,
    )
    if learner is None:
        return settings
    return replace(settings, agent=learner.name, takeover=learner.takeover, record_agent=learner.recorded)


def _summary(
    folder: Path,
    rows: Sequence[CollectedEpisode],
    failed: Sequence[CollectedEpisode],
    resumed: int,
    seconds: float,
    errors: Sequence[str],
) -> CollectionSummary:
    return CollectionSummary(
        folder=folder,
        episodes=sum(row.kept for row in rows),
        attempted=len(rows),
        statuses=Counter(row.status for row in [*rows, *failed]),
        steps=sum(row.steps for row in rows if row.kept),
        resumed=resumed,
        seconds=seconds,
        errors=errors,
    )


Outcome = tuple[CollectedEpisode, str]
"""The row of an episode, and the simulator's error or ""."""


class Players(NamedTuple):
    """Who plays: the name of an engine, and the number of processes of this machine."""

    engine: str
    workers: int


def _play(
    pending: Sequence[int], work: Callable[[int], Outcome], players: Players, done: int, progress: bool
) -> tuple[list[CollectedEpisode], list[str]]:
    """Plays episodes in workers; returns those that ended in a simulator error, and their messages."""
    errors: list[CollectedEpisode] = []
    messages: list[str] = []
    finished = 0
    with (
        _bar(done + len(pending), done, progress and bool(pending)) as report,
        _outcomes(pending, work, players) as rows,
    ):
        for row, message in rows:
            report(row.status)
            if row.status == "error":
                errors.append(row)
                messages.append(f"episode {row.index} (seed {row.seed}): {message}")
            finished += row.status != "error"
            if not finished and len(errors) >= _HOPELESS:
                raise CollectionError(f"every episode ended in a simulator error. {messages[0]}")
    return errors, messages


@contextlib.contextmanager
def _outcomes(pending: Sequence[int], work: Callable[[int], Outcome], players: Players) -> Iterator[Iterator[Outcome]]:
    """The outcomes of episodes as they end; on leaving, episodes that are being played here are finished first."""
    if players.engine != "local":
        yield (outcome for _, outcome in named_engine(players.engine)(work, pending, players.workers))
        return
    variables = _WORKER_ENVIRONMENT | {"MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    with _environment(variables):
        pool = ProcessPoolExecutor(
            max(1, min(players.workers, len(pending))),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=follow_parent,
        )
        try:
            with starting_workers():
                futures = [pool.submit(work, index) for index in pending]
            yield (future.result() for future in as_completed(futures))
        except BrokenProcessPool as error:
            raise CollectionError(
                "a worker process died, perhaps for lack of memory. All finished episodes are safe: "
                "run the same command again to go on, with fewer workers if it happens again"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Worker:
    """The environment and the expert of one process."""

    def __init__(
        self, source: DemonstrationSource, settings: CollectionSettings, staging: Path, learner: Learner | None
    ) -> None:
        self._source, self._settings, self._staging, self._learner = source, settings, staging, learner
        self._embodiment = source.embodiment
        self._built: tuple[gymnasium.Env[Any, Any], Policy] | None = None
        self._taught: tuple[Policy, Learner] | None = None

    def does(self, *job: object) -> bool:
        """Whether it was made for this source, these settings and this staging folder."""
        return job == (self._source, self._settings, self._staging)

    def play(self, index: int) -> Outcome:
        """Plays one episode and puts it into the staging folder, unless the simulator broke down."""
        self._built = self._built or self._source.build()  # built here, so that its errors reach the parent
        if self._learner is not None and self._taught is None:
            self._taught = self._learner.load(self._embodiment), self._learner
        env, expert = self._built
        settings = self._settings
        seed, level = settings.seed + index, settings.noise[index % len(settings.noise)]
        result, record = record_demonstration(
            env,
            expert,
            self._embodiment,
            env_name=settings.environment,
            seed=seed,
            noise=level,
            learner=self._taught,
            prompts=settings.prompts,
        )
        kept = record is not None and (settings.keep_failures or result.status == "success")
        row = CollectedEpisode(index, seed, level, result.status, result.steps, round(result.seconds, 3), kept)
        if result.status != "error":
            stage(self._staging, row, record if kept else None)
        return row, result.message

    def close(self) -> None:
        """Stops the simulator."""
        if self._built is not None:
            self._built[0].close()


_worker: _Worker | None = None
"""The worker of this process; its environment takes seconds to make, so it is kept for the next episode."""


def _play_one(
    source: DemonstrationSource, settings: CollectionSettings, staging: Path, learner: Learner | None, index: int
) -> Outcome:
    """Plays one episode in a worker process."""
    global _worker
    if _worker is None or not _worker.does(source, settings, staging):
        if _worker is not None:  # of another collection, on a cluster that outlives it
            _worker.close()
        _worker = _Worker(source, settings, staging, learner)
    return _worker.play(index)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for the processes started inside the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _bar(total: int, done: int, visible: bool) -> Iterator[Callable[[str], None]]:
    """Draws a progress bar; yields a function to call with the status of each finished episode."""
    counts: Counter[str] = Counter()
    with progress_bars(visible=visible) as bar:
        task = bar.add_task("collecting", total=total, completed=done)

        def report(status: str) -> None:
            counts[status] += 1
            text = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
            bar.update(task, advance=1, note=text)

        yield report
