"""settings.json: what an evaluation in a folder is of, so that no other one goes on in it or is compared with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.benchmarks.errors import ResultsError
from embodio.model.weights.checksums import SUMS_FILE, sha256_of
from embodio.model.writing import write_json

if TYPE_CHECKING:
    from embodio.benchmarks.evaluation.evaluate import EvaluateConfig
    from embodio.benchmarks.evaluation.suite import SuiteTask

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Identity:
    """What is evaluated.

    Attributes:
        model: the settings that decide what an answer is, apart from the task: model, weights, vocabulary, seed; also
            suite, data and shard.
        tasks: name -> what the task asks, how it is measured, and the hash of its file.
        scope: which items of which tasks were wanted by the last command.
    """

    model: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, Any]]
    scope: Mapping[str, Any]

    @classmethod
    def of(cls, config: EvaluateConfig, files: Mapping[str, tuple[SuiteTask, Path]]) -> Identity:
        """The identity of an evaluation of tasks: name -> task and its file of annotations."""
        names = ("suite", "model", "vocabulary", "embed", "seed", "shard")
        data = "" if config.data is None else str(config.data)
        sums = Path(config.model) / SUMS_FILE
        weights = sums.read_text(encoding="utf-8") if sums.is_file() else ""
        model = {name: getattr(config, name) for name in names} | {"data": data, "weights": weights}
        tasks = {name: task.definition | {"file_sha256": _sha256(file)} for name, (task, file) in files.items()}
        return cls(model, tasks, {"tasks": list(files), "limit": config.limit, "device": config.device})

    @classmethod
    def read(cls, folder: Path) -> Identity | None:
        """The identity of the evaluation in a folder; None if it holds none.

        Raises:
            ResultsError: the file is damaged.
        """
        path = folder / SETTINGS
        if not path.exists():
            return None
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ResultsError(f"{path} is damaged ({error}); delete it or use another folder") from error

    def require_same(self, wanted: Identity, folder: Path) -> None:
        """Makes sure that a folder's evaluation, which this is of, is the wanted one.

        Raises:
            ResultsError: a setting differs, or a task that both have; names it.
        """
        of_tasks = [(f"{name}: ", task, wanted.tasks.get(name, {})) for name, task in self.tasks.items()]
        for part, found, asked in (("", self.model, wanted.model), *of_tasks):
            for name, value in asked.items():
                if found.get(name) != value:
                    raise ResultsError(
                        f"{folder} holds answers of another evaluation: {part}{name} was {found.get(name)!r} and is "
                        f"{value!r}; use another folder, or restart=true"
                    )

    def extended(self, wanted: Identity) -> Identity:
        """The same with the tasks and the scope of another command."""
        return Identity(self.model, {**self.tasks, **wanted.tasks}, wanted.scope)

    def save(self, folder: Path) -> None:
        """Writes settings.json."""
        write_json(folder / SETTINGS, {"model": self.model, "tasks": self.tasks, "scope": self.scope})


def _sha256(file: Path) -> str:
    """The hash of a file; empty if there is none, which its reader reports."""
    return sha256_of(file) if file.is_file() else ""
