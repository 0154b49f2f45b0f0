"""The episodes of a rollout and their figures: over all, by task, and by group of tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from embodio.benchmarks.statistics.intervals import wilson_interval
from embodio.datasets.metrics import named_metric
from embodio.datasets.metrics.parts.episodes import EpisodeOutcome
from embodio.datasets.metrics.parts.tally import Tally

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
LENGTHS = ("path", "shortest")
"""Values of a row that only some environments give."""


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
        return {name: value for name, value in asdict(self).items() if name not in LENGTHS or value is not None}


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


@dataclass(frozen=True)
class ByTask:
    """The figures of a rollout by task.

    Attributes:
        tasks: task -> figures of its episodes; empty where all episodes are of one task.
        groups: group, such as "easy" -> figures of the episodes of its tasks, in the order of the environment.
    """

    tasks: Mapping[str, Summary]
    groups: Mapping[str, Summary]

    @classmethod
    def of(cls, rows: Sequence[EpisodeRow], groups: Mapping[str, str]) -> ByTask:
        """Sorts episodes.

        Args:
            rows: the episodes.
            groups: task -> its group, see `embodio.envs.registry.task_groups`.
        """
        names = sorted({row.task for row in rows})
        if len(names) < 2:
            return cls({}, {})
        tasks = {name: summarise([row for row in rows if row.task == name]) for name in names}
        grouped = {
            group: [row for row in rows if groups.get(row.task) == group] for group in dict.fromkeys(groups.values())
        }
        return cls(tasks, {group: summarise(found) for group, found in grouped.items() if found})

    @property
    def mean_over_groups(self) -> float | None:
        """The mean of the groups' success rates, as it is published; None without groups, or if one has no rate."""
        return _mean([summary.success_rate for summary in self.groups.values()])

    @property
    def mean_over_tasks(self) -> float | None:
        """The mean of the tasks' success rates; None without tasks, or if one has no rate."""
        return _mean([summary.success_rate for summary in self.tasks.values()])

    @property
    def means(self) -> dict[str, float]:
        """The means that there are, name -> success rate."""
        means = {"mean over groups": self.mean_over_groups, "mean over tasks": self.mean_over_tasks}
        return {name: mean for name, mean in means.items() if mean is not None}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; empty where all episodes are of one task."""
        if not self.tasks:
            return {}
        figures = {name: {key: asdict(one) for key, one in getattr(self, name).items()} for name in ("tasks", "groups")}
        return {**figures, "mean_over_groups": self.mean_over_groups, "mean_over_tasks": self.mean_over_tasks}


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


def successes(summary: Summary) -> str:
    """The successes of a task or a group in one line, such as "7 of 10 (39.7% to 89.2%)"."""
    judged = summary.episodes - summary.counts["error"]
    low, high = summary.wilson_95
    return f"{summary.counts['success']} of {judged} ({low:.1%} to {high:.1%})"


def _mean(rates: Sequence[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) / len(known) if known and len(known) == len(rates) else None
