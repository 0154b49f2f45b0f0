"""The log of a run, its plot, and the bar on the terminal, as an observer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.datasets.errors import ExampleError, NothingToLearn
from embodio.train.log import Meter, RunLog, plot_log
from embodio.train.observers.account import Account
from embodio.train.observers.observer import Observer, StepReport
from embodio.train.observers.sinks import named_sink
from embodio.train.observers.task_sums import TaskSums
from embodio.train.progress import TrainProgress
from embodio.train.validation import Line

if TYPE_CHECKING:
    from embodio.train.loop import Trainer

LOG = "log.jsonl"
PLOT = "loss.png"
_MOST_NAMED = 100  # records without an example that are named, one by one


class LogAndBar(Observer):
    """Writes `log.jsonl` and `loss.png` into the folder of a run, and shows the same figures on the terminal.

    Kinds of lines: "train" since the line before, of all tasks and of each; "validation"; "damaged" for a record that
    was left out, "unusable" for an intact one that gives no example, of which the first hundred are named and all are
    counted, each time that one is drawn; "guard" for a step that did not change the weights. The sinks of the run get
    the same lines.
    """

    def on_start(self, trainer: Trainer[Any]) -> None:
        """Opens the log, in which lines of steps that are done again are dropped, and shows the bar."""
        self._config, first = trainer.config, trainer.run.step
        self._out = Path(self._config.out)
        self._last, self._guard, self._told = trainer.last_step, trainer.judge, ""
        self._log, self._meter = RunLog(self._out / LOG, first), Meter()
        self._tasks = TaskSums(trainer.batches)
        self._unusable, self._named = 0, set[tuple[str, int]]()
        shared = {"parts": trainer.parts, "processes": trainer.processes}
        self._account = Account(trainer.run.model, trainer.device, self._config.precision, **shared)
        settings = dataclasses.asdict(self._config)
        self._open = ExitStack()
        self._sinks = [named_sink(name)(self._out, settings, first) for name in self._config.sinks]
        for sink in self._sinks:
            self._open.callback(sink.close)
        self._progress = self._open.enter_context(TrainProgress(first, self._config.steps))
        if self._log.damaged:
            lines = ", ".join(map(str, self._log.damaged))
            self._progress.say(f"{self._out / LOG}: lines {lines} are damaged and left out")

    def on_step(self, report: StepReport) -> None:
        """Adds a step to the means; every `log_every` steps they become lines."""
        config = self._config
        self._meter.add(report.outcome, config.batch_size * config.accumulate)
        self._account.add(report)
        self._tasks.add(report)
        trouble = getattr(self._guard, "trouble", "")
        if not report.updated and trouble != self._told:
            self._told = trouble
            self._write(kind="guard", step=report.step, what=trouble)
            self._progress.say(trouble)
        if report.step % config.log_every == 0 or report.step == self._last:
            line = self._meter.line(report.step) | {"rate": report.rate, "norm": report.norm}
            line |= self._account.line() | {"unusable": self._unusable}
            self._write(kind="train", **line)
            for name, of_task in self._tasks.lines().items():
                self._write(kind="train", step=report.step, task=name, **of_task)
            self._progress.update(report.step, line)

    def on_validation(self, step: int, lines: Mapping[str, Line]) -> None:
        """A line for all validators together, and one for each of several."""
        for name, line in lines.items():
            self._write(kind="validation", step=step, **line, **({"task": name} if name else {}))
            self._progress.note(step, name, line)
        self._account.mark("validation")
        self._meter.restart()

    def on_checkpoint(self, step: int, folder: Path) -> None:
        """Counts its time."""
        self._account.mark("checkpoint")

    def on_damage(self, step: int, error: ExampleError) -> None:
        """A line that names the record."""
        if isinstance(error, NothingToLearn):
            self._unusable += 1
            place = (error.dataset, error.episode)
            if place in self._named or len(self._named) == _MOST_NAMED:
                return
            self._named.add(place)
        kind = "unusable" if isinstance(error, NothingToLearn) else "damaged"
        self._write(kind=kind, step=step, what=str(error))
        self._progress.left_out(error)

    def on_end(self, step: int, *, failed: bool) -> None:
        """Takes the bar away, says how many records gave no example, and draws the plot."""
        if self._unusable:
            named = f"{self._out / LOG} names {len(self._named)} of them"
            self._progress.say(f"{self._unusable} times a record without an example was replaced; {named}")
        self._open.close()
        if not failed:
            plot_log(self._out / LOG, self._out / PLOT)

    def _write(self, **line: Any) -> None:
        self._log.write(**line)
        for sink in self._sinks:
            sink.write(line)
