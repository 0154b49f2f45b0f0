"""Runners: what is evaluated, a network by its folder or any object with the verb `run` of `TaskRunner`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.evaluation.acting import NetworkRunner
from embodio.benchmarks.evaluation.procedures.parts.procedure import Procedure
from embodio.benchmarks.evaluation.suite import SuiteTask
from embodio.model.tasks.base.boxes_family import BoxesItem
from embodio.model.tasks.errors import AnswerError
from embodio.model.tasks.suppression import suppress


class Runner(Protocol):
    """Answers annotations without answers, as `TaskRunner` does."""

    @property
    def run(self) -> Callable[..., Sequence[Any]]:
        """(family, asked, seeds=, ...) -> an annotation with its answer, or an AnswerError, for each that is asked."""


def open_runner(model: str, vocabulary: str, device: str, rows: int) -> Runner:
    """The runner that a setting names.

    Args:
        model: folder of a network, ours or released; the name of one that ships, such as lift-nano, or of one in the
            local cache of the hub; or `module:function`, which returns any object with `run`.
        vocabulary: folder or file of the vocabulary; empty for the one in the network's folder.
        device: where the network goes.
        rows: largest number of rows computed at once.

    Raises:
        BenchmarkError: there is no such function, or what it returns has no `run`.
        CheckpointError: there is no such network, or it has no vocabulary that fits.
        ModelError, TrainError: the network or the vocabulary cannot be read.
    """
    if ":" in model and not Path(model).exists():
        made = function_of("model", model)()
        if not callable(getattr(made, "run", None)):
            raise BenchmarkError(f"model: {model!r} returns a {type(made).__name__}, which has no run")
        runner: Runner = made
        return runner
    from embodio.agent.released.loading import network_vocabulary, released_folder, require_fit
    from embodio.model import TaskRunner, load
    from embodio.model.weights.pretrained import read_model_config
    from embodio.model.weights.weights import CONFIG_FILE
    from embodio.train.experiments.pretrain.network import opened_vocabulary

    folder = released_folder(model)
    words = opened_vocabulary(vocabulary) if vocabulary else network_vocabulary(folder)
    require_fit(folder, read_model_config(folder / CONFIG_FILE), words)
    tasks = TaskRunner(load(folder, device=device), words, rows_at_once=rows)
    return NetworkRunner(tasks, model, device)


def function_of(setting: str, name: str) -> Callable[..., Any]:
    """The function that a setting names as module:function; raises BenchmarkError if it cannot be imported."""
    module, _, function = name.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        message = f"{setting}: {name!r}: {error}; expected module:function that can be imported"
        raise BenchmarkError(message) from error
    return found


def answers_of(runner: Runner, task: SuiteTask, truths: Sequence[Any], seeds: Sequence[int]) -> list[Any]:
    """The answers to annotations, whose own answers are hidden.

    Raises:
        BenchmarkError: the runner does not return one answer for each.
    """
    kind = task.kind
    asked = [kind.request(truth) for truth in truths]
    if isinstance(kind, Procedure):
        return kind.ask(runner.run, asked, seeds, task.options or {})
    how: dict[str, Any] = dict(task.options or {})
    if task.wording:
        how["wording"] = task.wording
    found = list(runner.run(task.family, asked, seeds=list(seeds), **how))
    if len(found) != len(asked):
        raise BenchmarkError(f"{task.name}: the model gave {len(found)} answers to {len(asked)} items")
    return [_without_overlaps(one, task.overlap) for one in found]


def _without_overlaps(found: Any, overlap: float) -> Any:
    """Boxes without those that overlap an earlier one too much."""
    if isinstance(found, AnswerError) or not isinstance(found, BoxesItem) or found.boxes is None or overlap >= 1:
        return found
    kept = suppress(found.boxes, overlap)
    labels = tuple(np.array(found.labels, dtype=object)[kept]) if found.labels else ()
    scores = None if found.scores is None else tuple(np.array(found.scores)[kept].tolist())
    return replace(found, boxes=found.boxes[kept], labels=labels, scores=scores)
