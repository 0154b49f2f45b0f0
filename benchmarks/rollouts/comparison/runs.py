"""Rollouts in a folder, collected by environment: what an agent did on which seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embodio.benchmarks.errors import ComparisonError
from embodio.benchmarks.rollouts.play import RESULTS
from embodio.benchmarks.rollouts.results import Results
from embodio.benchmarks.rollouts.summary import EpisodeRow


@dataclass(frozen=True)
class AgentRuns:
    """The episodes of one agent.

    Attributes:
        agent: its name.
        place: where its rollouts are.
        episodes: environment, with its perturbation if it has one -> seed -> episode.
        settings: environment -> the settings of its rollout.
        about: what identifies the agent: hashes, sizes.
    """

    agent: str
    place: Path
    episodes: dict[str, dict[int, EpisodeRow]] = field(default_factory=dict)
    settings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def read_runs(place: Path) -> AgentRuns:
    """Reads the rollout in a folder, or all rollouts below it.

    Raises:
        ComparisonError: there is none, or they are of several agents, or two of them hold the same episodes.
        ResultsError: a results.json is damaged.
    """
    found = {path: Results.load(path) for path in sorted(_files(place))}
    if not found:
        raise ComparisonError(
            f"{place} holds no rollout ({RESULTS}). Give the folder out=... of embodio-rollout, "
            "or env=... to play agents"
        )
    return gathered(place, found)


def gathered(place: Path, found: Mapping[Path, Results]) -> AgentRuns:
    """The episodes of several results of one agent, path -> results; errors as of `read_runs`."""
    names = sorted({str(results.settings["agent"]) for results in found.values()})
    if len(names) > 1:
        raise ComparisonError(f"{place} holds rollouts of {' and '.join(names)}. Give the folder of one agent")
    runs = AgentRuns(names[0], place, about=next(iter(found.values())).agent)
    for path, results in found.items():
        name = condition_name(results.settings)
        rows = runs.episodes.setdefault(name, {})
        for row in results.rows:
            if row.seed in rows:
                raise ComparisonError(
                    f"{place} holds seed {row.seed} of {name} twice, also in {path}. Give one of them"
                )
            rows[row.seed] = row
        runs.settings[name] = results.settings
    return runs


def condition_name(settings: Mapping[str, Any]) -> str:
    """The environment of a rollout, with its perturbation if it has one."""
    perturbation = settings.get("perturb")
    return f"{settings['env']} ({perturbation})" if perturbation else str(settings["env"])


def _files(place: Path) -> Iterable[Path]:
    return (path for path in place.rglob(RESULTS) if "shards" not in path.relative_to(place).parts)
