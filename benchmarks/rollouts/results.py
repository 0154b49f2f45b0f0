"""results.json: one row per episode, written after each, so that an interrupted run can resume."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from embodio.benchmarks.errors import ResultsError
from embodio.benchmarks.rollouts.latency import Latency
from embodio.benchmarks.statistics.intervals import wilson_interval
from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.episodes import EpisodeOutcome
from embodio.datasets.metrics.parts.tally import Tally
from embodio.model.writing import write_text

STATUSES = ("success", "failure", "timeout", "abstained", "error")
DEFINITION = (
    "success_rate = success / (success + failure + timeout + abstained), where success means that the task is done at "
    "the last step; any_step_rate counts the episodes in which it was done at any step (first_success). Abstained "
    "means that the policy refused to act. An error is a breakdown of the simulator; it says nothing about the policy "
    "and is counted separately."
)
SPL = (
    " SPL is the mean of success, weighted by the length of the shortest way over that of the way taken, over the same "
    "episodes (arXiv 1807.06757), with a bootstrap interval."
)
"""What is added to the definition where the environment gives lengths."""
_UNLESS_USUAL = ("robot", "perturb", "spoken", "instruction")
"""Settings that are there only where they are not the usual ones."""
_LENGTHS = ("path", "shortest")
_VERSION = 2

_VIDEO_RANK = {"failure": 0, "timeout": 0, "abstained": 1, "error": 1, "success": 2}
"""Statuses in the order in which videos are kept; a broken simulator tells less than a failed policy."""


@dataclass(frozen=True)
class EpisodeRow:
    """One episode.

    Attributes:
        seed: Seed of the environment's reset.
        status: "success", "failure" (ended without success), "timeout" (horizon reached), "abstained" (the policy
            refused to act) or "error" (simulator broke).
        steps: Actions played.
        seconds: Wall-clock time.
        message: What the simulator said, for errors, or the policy, where it abstained.
        video: File name of its video inside the folder `videos`, if it has one.
        first_success: Actions after which the task was done for the first time, even if it was undone later; None if
            it never was.
        task: The task that the seed chose, in environments with several; "" in others.
        path: Length of the way taken in metres; None where the environment does not give it.
        shortest: Length of the shortest way to the goal in metres; likewise.
    """

    seed: int
    status: str
    steps: int
    seconds: float
    message: str = ""
    video: str | None = None
    first_success: int | None = None
    task: str = ""
    path: float | None = None
    shortest: float | None = None

    @property
    def stored(self) -> dict[str, Any]:
        """Its values in the file; the lengths are there only where the environment gives them."""
        return {name: value for name, value in asdict(self).items() if name not in _LENGTHS or value is not None}


@dataclass(frozen=True)
class Summary:
    """The figures of a run.

    Attributes:
        episodes: Episodes played.
        counts: Status -> number of episodes.
        success_rate: Share of successes among the episodes that are not errors; None without any.
        wilson_95: 95 % Wilson interval of the success rate.
        any_step_rate: Share of episodes in which the task was done at any step, of the same; None without any.
        mean_steps: Mean steps of the successful episodes; None without any.
        seconds: Wall-clock time of all episodes together.
        spl: Success weighted by path length; None where the environment does not give the lengths.
        spl_95: 95 % bootstrap interval of it; None without it, and with fewer than two episodes.
    """

    episodes: int
    counts: dict[str, int]
    success_rate: float | None
    wilson_95: tuple[float, float]
    any_step_rate: float | None
    mean_steps: float | None
    seconds: float
    spl: float | None = None
    spl_95: tuple[float, float] | None = None

    @property
    def definition(self) -> str:
        """What the figures mean."""
        return DEFINITION if self.spl is None else DEFINITION + SPL

    @property
    def spl_in_words(self) -> str:
        """SPL with its interval."""
        interval = "" if self.spl_95 is None else "  (95% interval {:.3f} to {:.3f})".format(*self.spl_95)
        return "" if self.spl is None else f"{self.spl:.3f}{interval}"

    @property
    def shown(self) -> dict[str, int]:
        """The counts without that of abstained episodes where there are none, as for most agents."""
        return {status: count for status, count in self.counts.items() if count or status != "abstained"}


@dataclass
class Results:
    """All that is known about a run.

    Attributes:
        settings: What was requested; a run can only go on with equal settings.
        agent: Name, sha256 of weights and statistics, size.
        versions: Package -> version.
        machine: Where it ran.
        latency: Times of `act`.
        rows: Episodes, in order of their seeds.
    """

    settings: dict[str, Any]
    agent: dict[str, Any]
    versions: dict[str, str]
    machine: dict[str, str]
    latency: Latency | None = None
    rows: list[EpisodeRow] = field(default_factory=list)

    @property
    def summary(self) -> Summary:
        """The figures over the rows so far."""
        return summarise(self.rows)

    def add(self, row: EpisodeRow) -> None:
        """Inserts an episode at its place."""
        self.rows = sorted([*self.rows, row], key=lambda other: other.seed)

    def require_same(self, settings: Mapping[str, Any], agent: Mapping[str, Any], folder: Path) -> None:
        """Makes sure that a resumed run is the same run.

        Raises:
            ResultsError: A setting or the weights differ; names the first such field and both values.
        """
        for name in dict.fromkeys((*settings, *_UNLESS_USUAL)):
            if self.settings.get(name) != settings.get(name):
                raise _other_run(folder, name, self.settings.get(name), settings.get(name))
        if self.agent.get("sha256") != agent.get("sha256"):
            raise _other_run(folder, "agent.sha256", self.agent.get("sha256"), agent.get("sha256"))

    def save(self, path: Path) -> None:
        """Writes the file atomically, one episode per line."""
        figures = self.summary
        summary = asdict(figures) | {"definition": figures.definition}
        head = {
            "version": _VERSION,
            "summary": summary,
            "act_milliseconds": self.latency.to_dict() if self.latency else None,
            "settings": self.settings,
            "agent": self.agent,
            "versions": self.versions,
            "machine": self.machine,
        }
        rows = ",\n".join("    " + json.dumps(row.stored) for row in self.rows)
        text = json.dumps(head, indent=2).removesuffix("\n}") + f',\n  "episodes": [\n{rows}\n  ]\n}}\n'
        write_text(path, text)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Reads such a file.

        Raises:
            ResultsError: The file is not a results file.
        """
        try:
            data = json.loads(path.read_text())
            if data["version"] != _VERSION:
                raise ResultsError(f"{path}: version {data['version']} is not known here; use another folder.")
            rows = [_row(values, path) for values in data["episodes"]]
            times = data["act_milliseconds"]
            latency = Latency(**times) if times else None
            return cls(data["settings"], data["agent"], data["versions"], data["machine"], latency, rows)
        except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise ResultsError(f"{path} is damaged ({error!r}); delete it or use another folder.") from error


def summarise(rows: Sequence[EpisodeRow]) -> Summary:
    """The figures over some episodes."""
    tally = Counter(row.status for row in rows)
    counts = {status: tally[status] for status in STATUSES}
    judged = len(rows) - counts["error"]
    ever = sum(row.first_success is not None for row in rows if row.status != "error")
    lengths = [row.steps for row in rows if row.status == "success"]
    return Summary(
        episodes=len(rows),
        counts=counts,
        success_rate=counts["success"] / judged if judged else None,
        wilson_95=wilson_interval(counts["success"], judged),
        any_step_rate=ever / judged if judged else None,
        mean_steps=sum(lengths) / len(lengths) if lengths else None,
        seconds=sum(row.seconds for row in rows),
        **_spl(rows),
    )


def _spl(rows: Sequence[EpisodeRow]) -> dict[str, Any]:
    """SPL and its interval over the episodes that are not errors; nothing where one of them has no lengths."""
    tally = Tally(named_metric("spl"))
    for row in rows:
        if row.status == "error":
            continue
        if row.path is None or row.shortest is None:
            return {}
        outcome = EpisodeOutcome(success=row.status == "success", path=row.path, shortest=row.shortest)
        tally.update(outcome, outcome)
    if not tally.measures:
        return {}
    found = tally.result().estimates["spl"]
    return {"spl": found.value, "spl_95": None if found.low is None else (found.low, found.high)}


def another_video(results: Results, most: int) -> bool:
    """Whether the next episode may have to be filmed: not once there are `most` videos of failures."""
    return sum(row.video is not None and _VIDEO_RANK[row.status] == 0 for row in results.rows) < most


def keep_videos(results: Results, most: int, folder: Path) -> None:
    """Deletes all but `most` videos, failures last and the last seeds first, and clears them in their rows."""
    filmed = sorted(
        (row for row in results.rows if row.video is not None), key=lambda row: (_VIDEO_RANK[row.status], row.seed)
    )
    dropped = {row.seed: row.video for row in filmed[most:]}
    results.rows = [replace(row, video=None) if row.seed in dropped else row for row in results.rows]
    for name in dropped.values():
        (folder / str(name)).unlink(missing_ok=True)


_VIDEO = re.compile(r"\w[\w.-]*\.mp4")  # the name of a file in the folder of videos, which may be deleted


def _row(values: Mapping[str, Any], path: Path) -> EpisodeRow:
    known = {field.name for field in fields(EpisodeRow)}
    video = values.get("video")
    safe = video is None or (isinstance(video, str) and _VIDEO.fullmatch(video) is not None)
    if not known - set(_LENGTHS) <= set(values) <= known or values["status"] not in STATUSES or not safe:
        raise ResultsError(f"{path} is damaged (episode {dict(values)}); delete it or use another folder.")
    return EpisodeRow(**values)


def _other_run(folder: Path, name: str, there: object, asked: object) -> ResultsError:
    return ResultsError(
        f"{folder} holds another run: {name} is {there!r} there, {asked!r} was asked for. "
        "Use another folder (out=...), or restart=true to throw away what is there."
    )
