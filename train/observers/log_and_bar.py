"""The log of a run, its plot, and the bar on the terminal, as an observer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodio.datasets.errors import ExampleError
from embodio.train.log import Meter, RunLog, plot_log
from embodio.train.observers.observer import Observer, StepReport
from embodio.train.progress import TrainProgress
from embodio.train.validation import Line

if TYPE_CHECKING:
    from embodio.train.loop import Trainer

LOG = "log.jsonl"
PLOT = "loss.png"


class LogAndBar(Observer):
    """Writes `log.jsonl` and `loss.png` into the folder of a run, and shows the same figures on the terminal."""

    def on_start(self, trainer: Trainer[Any]) -> None:
        """Opens the log, in which lines of steps that are done again are dropped, and shows the bar."""
        self._config, first = trainer.config, trainer.run.step
        self._out = Path(self._config.out)
        self._last = trainer.last_step
        self._log, self._meter = RunLog(self._out / LOG, first), Meter()
        self._progress = TrainProgress(first, self._config.steps)
        self._progress.__enter__()
        if self._log.damaged:
            lines = ", ".join(map(str, self._log.damaged))
            self._progress.say(f"{self._out / LOG}: lines {lines} are damaged and left out")

    def on_step(self, report: StepReport) -> None:
        """Adds a step to the means; every `log_every` steps they become a line."""
        config = self._config
        self._meter.add(report.outcome, config.batch_size * config.accumulate)
        if report.step % config.log_every == 0 or report.step == self._last:
            line = self._meter.line(report.step)
            self._log.write(kind="train", **line)
            self._progress.update(report.step, line)

    def on_validation(self, step: int, lines: Mapping[str, Line]) -> None:
        """A line for all validators together, and one for each of several."""
        for name, line in lines.items():
            self._log.write(kind="validation", step=step, **line, **({"task": name} if name else {}))
            self._progress.note(step, name, line)
        self._meter = Meter()

    def on_damage(self, step: int, error: ExampleError) -> None:
        """A line that names the record."""
        self._log.write(kind="damaged", step=step, what=str(error))
        self._progress.damaged(error)

    def on_end(self, step: int, *, failed: bool) -> None:
        """Takes the bar away and draws the plot."""
        self._progress.__exit__(None, None, None)
        if not failed:
            plot_log(self._out / LOG, self._out / PLOT)
