"""Two agents compared, paired by seed: per task and over all tasks together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from embodio.benchmarks.errors import ComparisonError
from embodio.benchmarks.rollouts.comparison.runs import AgentRuns
from embodio.benchmarks.rollouts.summary import EpisodeRow
from embodio.benchmarks.statistics.paired import PairedTable, mcnemar_exact, newcombe_interval
from embodio.benchmarks.statistics.sequential import anytime_p_values
from embodio.benchmarks.statistics.verdicts import Rule, Verdict, holm, verdict

Judge = Literal["last", "any"]

DEFINITION = (
    "Episodes are paired by seed. Pairs in which the simulator broke down are left out and counted as errors. "
    "p_value: exact McNemar test, or with sequential=true a test that holds at any time. p_corrected: for the number "
    "of tasks, after Holm. interval: 95% interval of the difference of success rates, A minus B (Newcombe 1998, "
    "method 10). verdict on A: better or worse where p_corrected is at most alpha; equal where the interval, widened "
    "for the number of tasks, is inside the margin; otherwise cannot tell, with how many more episodes of each agent "
    "are expected to decide, if the rates stay as they are."
)


@dataclass(frozen=True)
class Pairing:
    """Episodes of two agents with the same seeds.

    Attributes:
        outcomes: (success of A, success of B) by seed, in order of seeds.
        errors: episodes of A, and of B, in which the simulator broke down, at shared seeds.
        alone: seeds that only A played, and only B.
    """

    outcomes: dict[int, tuple[bool, bool]]
    errors: tuple[int, int]
    alone: tuple[int, int]

    @property
    def table(self) -> PairedTable:
        """The counts."""
        return PairedTable.of(self.outcomes.values())


@dataclass(frozen=True)
class Compared:
    """The comparison on one task, or on all together.

    Attributes:
        task: its name.
        table: counts of pairs.
        errors: episodes of A, and of B, in which the simulator broke down.
        alone: episodes of A, and of B, without a partner.
        p_value: of the difference.
        p_corrected: the same, corrected for the number of tasks.
        interval: 95 % interval of the difference.
        verdict: on A.
    """

    task: str
    table: PairedTable
    errors: tuple[int, int]
    alone: tuple[int, int]
    p_value: float
    p_corrected: float
    interval: tuple[float, float]
    verdict: Verdict

    @property
    def rates(self) -> tuple[float, float]:
        """Success rates of A and B in the pairs; 0 without pairs."""
        a, b = self.table.successes
        pairs = self.table.pairs or 1
        return a / pairs, b / pairs

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        rates = {"a": self.rates[0], "b": self.rates[1]}
        derived = {"pairs": self.table.pairs, "success_rate": rates, "difference": self.table.difference}
        return {"task": self.task, **derived} | asdict(self)


@dataclass(frozen=True)
class Comparison:
    """The comparison of A and B.

    Attributes:
        a: A's name.
        b: B's name.
        rule: how verdicts are reached.
        judge: which success counts: at the last step or at any.
        sequential: whether the test holds at any time.
        tasks: each task's.
        pooled: over all pairs of all tasks.
    """

    a: str
    b: str
    rule: Rule
    judge: Judge
    sequential: bool
    tasks: list[Compared]
    pooled: Compared

    def to_json(self) -> dict[str, Any]:
        """Plain values, with what the figures mean."""
        tasks = [one.to_json() for one in self.tasks]
        settings = {"rule": asdict(self.rule), "judge": self.judge, "sequential": self.sequential}
        return {
            "version": 1, "a": self.a, "b": self.b, **settings, "definition": DEFINITION,
            "pooled": self.pooled.to_json(), "tasks": tasks,
        }  # fmt: skip


def compare(a: AgentRuns, b: AgentRuns, rule: Rule, judge: Judge = "last", sequential: bool = False) -> Comparison:
    """Compares two agents on all tasks that both have played.

    Raises:
        ComparisonError: they share no episode, or a task was played with different horizons.
    """
    pairings = _pairings(a, b, judge)
    p_values = [p_value_of(pairing, sequential) for pairing in pairings.values()]
    corrected = holm(p_values)
    tasks = [
        compared(task, pairing, p_value, p_corrected, rule, tests=len(pairings))
        for (task, pairing), p_value, p_corrected in zip(pairings.items(), p_values, corrected, strict=True)
    ]
    names = labels(a, b)
    together = _together(list(pairings.values()))
    p_pooled = p_value_of(together, sequential)
    pooled = compared("all tasks", together, p_pooled, p_pooled, rule)
    return Comparison(*names, rule, judge, sequential, tasks, pooled)


def labels(a: AgentRuns, b: AgentRuns) -> tuple[str, str]:
    """Names for A and B that differ."""
    return (a.agent, b.agent) if a.agent != b.agent else (str(a.place), str(b.place))


def compared(task: str, pairing: Pairing, p_value: float, p_corrected: float, rule: Rule, tests: int = 1) -> Compared:
    """The comparison of one pairing; arguments as of `verdict`."""
    table = pairing.table
    word = verdict(table, p_corrected, rule, tests)
    return Compared(task, table, pairing.errors, pairing.alone, p_value, p_corrected, newcombe_interval(table), word)


def paired(a: Mapping[int, EpisodeRow], b: Mapping[int, EpisodeRow], judge: Judge) -> Pairing:
    """Pairs the episodes of two agents, seed -> episode."""
    shared = sorted(a.keys() & b.keys())
    sound = [seed for seed in shared if a[seed].status != "error" and b[seed].status != "error"]
    outcomes = {seed: (succeeded(a[seed], judge), succeeded(b[seed], judge)) for seed in sound}
    errors = [sum(rows[seed].status == "error" for seed in shared) for rows in (a, b)]
    return Pairing(outcomes, (errors[0], errors[1]), (len(a) - len(shared), len(b) - len(shared)))


def succeeded(row: EpisodeRow, judge: Judge) -> bool:
    """Whether an episode counts as a success."""
    return row.first_success is not None if judge == "any" else row.status == "success"


def p_value_of(pairing: Pairing, sequential: bool = False) -> float:
    """The exact McNemar test of a pairing, or the one that may be looked at after every pair."""
    if sequential:
        return [1.0, *anytime_p_values(pairing.outcomes.values())][-1]
    return mcnemar_exact(int(pairing.table.only_a), int(pairing.table.only_b))


def _pairings(a: AgentRuns, b: AgentRuns, judge: Judge) -> dict[str, Pairing]:
    """Task -> the pairs of its episodes."""
    found: dict[str, Pairing] = {}
    for name in sorted(a.episodes.keys() & b.episodes.keys()):
        _require_same_horizon(name, a, b)
        rows_a, rows_b = a.episodes[name], b.episodes[name]
        for task, seeds in _by_task(name, rows_a, rows_b).items():
            of_task = [{seed: row for seed, row in rows.items() if seed in seeds} for rows in (rows_a, rows_b)]
            pairing = paired(of_task[0], of_task[1], judge)
            if pairing.outcomes or sum(pairing.errors):
                found[f"{name}: {task}" if task else name] = pairing
    if not found:
        raise ComparisonError(
            f"A and B share no episode: A has {_described(a)}; B has {_described(b)}. "
            "Play both in the same environment with the same seed=..."
        )
    return found


def _require_same_horizon(name: str, a: AgentRuns, b: AgentRuns) -> None:
    horizons = [runs.settings[name].get("horizon") for runs in (a, b)]
    if horizons[0] != horizons[1]:
        raise ComparisonError(
            f"{name}: horizon is {horizons[0]} in {a.place}, {horizons[1]} in {b.place}. Play one of them again"
        )


def _by_task(name: str, a: Mapping[int, EpisodeRow], b: Mapping[int, EpisodeRow]) -> dict[str, set[int]]:
    """The seeds of each task of an environment with several; all under "" in others."""
    tasks: dict[str, set[int]] = {}
    for seed in a.keys() | b.keys():
        played = [rows[seed].task for rows in (a, b) if seed in rows]
        if len(set(played) - {""}) > 1:  # an environment that broke down at once names none
            raise ComparisonError(
                f"{name}: seed {seed} is {' in A and '.join(played)} in B: the environment was another version"
            )
        tasks.setdefault(max(played), set()).add(seed)
    return dict(sorted(tasks.items()))


def _together(pairings: Sequence[Pairing]) -> Pairing:
    """All pairs, those of early seeds first, as if the tasks had been played in turn."""
    numbered = sorted(
        ((seed, number, pair) for number, one in enumerate(pairings) for seed, pair in one.outcomes.items())
    )
    errors = [sum(one.errors[side] for one in pairings) for side in (0, 1)]
    alone = [sum(one.alone[side] for one in pairings) for side in (0, 1)]
    outcomes = {position: pair for position, (_, _, pair) in enumerate(numbered)}
    return Pairing(outcomes, (errors[0], errors[1]), (alone[0], alone[1]))


def _described(runs: AgentRuns) -> str:
    found = [f"{name} with seeds {min(rows)} to {max(rows)}" for name, rows in sorted(runs.episodes.items()) if rows]
    return ", ".join(found) or "no episodes"
