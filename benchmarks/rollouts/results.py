"""results.json: one row per episode, written after each, so that an interrupted run can resume."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from embodio.benchmarks.errors import ResultsError
from embodio.benchmarks.rollouts.latency import Latency
from embodio.benchmarks.rollouts.summary import LENGTHS, STATUSES, ByTask, EpisodeRow, Summary, summarise
from embodio.envs.registry import task_groups
from embodio.model.writing import write_text

_UNLESS_USUAL = ("robot", "perturb", "spoken", "instruction")
"""Settings that are there only where they are not the usual ones."""
_VERSION = 2

_VIDEO_RANK = {"failure": 0, "timeout": 0, "abstained": 1, "error": 1, "success": 2}
"""Statuses in the order in which videos are kept; a broken simulator tells less than a failed policy."""


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

    @property
    def by_task(self) -> ByTask:
        """The figures by task and by group of tasks, in environments with several."""
        return ByTask.of(self.rows, task_groups(self.settings["env"]))

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
            **self.by_task.to_json(),
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
    if not known - set(LENGTHS) <= set(values) <= known or values["status"] not in STATUSES or not safe:
        raise ResultsError(f"{path} is damaged (episode {dict(values)}); delete it or use another folder.")
    return EpisodeRow(**values)


def _other_run(folder: Path, name: str, there: object, asked: object) -> ResultsError:
    return ResultsError(
        f"{folder} holds another run: {name} is {there!r} there, {asked!r} was asked for. "
        "Use another folder (out=...), or restart=true to throw away what is there."
    )
