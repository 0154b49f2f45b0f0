"""Robustness: an agent under each perturbation, compared with itself without, paired by seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from embodio.benchmarks.errors import ComparisonError
from embodio.benchmarks.rollouts.comparison.comparison import Pairing, p_value_of, paired
from embodio.benchmarks.rollouts.comparison.runs import AgentRuns
from embodio.benchmarks.rollouts.summary import Summary, summarise
from embodio.benchmarks.statistics.paired import newcombe_interval
from embodio.benchmarks.statistics.verdicts import holm


@dataclass(frozen=True)
class Robustness:
    """One row of the table.

    Attributes:
        env: the environment.
        condition: the perturbation; "none" for the row that the others are compared with.
        summary: successes, interval, errors.
        difference: success rate minus that without perturbations, over episodes with the same seeds.
        interval: 95 % interval of the difference (Newcombe).
        p_corrected: exact McNemar test, corrected for the number of perturbations (Holm); 1 for "none".
    """

    env: str
    condition: str
    summary: Summary
    difference: float
    interval: tuple[float, float]
    p_corrected: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def robustness(runs: AgentRuns) -> list[Robustness]:
    """The rows of a table: for each environment the one without perturbations first.

    Raises:
        ComparisonError: an environment was played only without perturbations, or only with.
    """
    found: list[Robustness] = []
    perturbed = {name: str(settings["perturb"]) for name, settings in runs.settings.items() if settings.get("perturb")}
    for plain in sorted(runs.settings.keys() - perturbed.keys()):
        found += _of_environment(runs, plain, perturbed)
    missing = {runs.settings[name]["env"] for name in perturbed} - {row.env for row in found}
    if missing or not found:
        which = f"{', '.join(sorted(missing))} without perturbations" if missing else "perturbations"
        raise ComparisonError(
            f"{runs.place} holds no rollout of {which}. Play them: embodio-rollout perturb=all out=..."
        )
    return found


def _of_environment(runs: AgentRuns, plain: str, perturbed: dict[str, str]) -> list[Robustness]:
    """The rows of one environment; none if it was not perturbed."""
    names = sorted(name for name in perturbed if runs.settings[name]["env"] == plain)
    pairings: list[Pairing] = [paired(runs.episodes[name], runs.episodes[plain], "last") for name in names]
    rows = [Robustness(plain, "none", summarise(list(runs.episodes[plain].values())), 0.0, (0.0, 0.0), 1.0)]
    corrected = holm([p_value_of(pairing) for pairing in pairings])
    for name, pairing, p_corrected in zip(names, pairings, corrected, strict=True):
        summary = summarise(list(runs.episodes[name].values()))
        table = pairing.table
        interval = newcombe_interval(table)
        rows.append(Robustness(plain, perturbed[name], summary, table.difference, interval, p_corrected))
    return rows if names else []
