"""Progress of training on the terminal, or as occasional lines without one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console

from embodio.datasets.errors import NothingToLearn
from embodio.datasets.progress import progress_bars

QUIET_SECONDS = 30.0
_SHARE = 0.01
"""Without a terminal a line comes every `QUIET_SECONDS`, later whenever this share of the time so far has passed."""


class TrainProgress:
    """A bar with loss, accuracy if there is one, examples per second and the time left.

    Args:
        step: steps done before.
        steps: total number of steps.
    """

    def __init__(self, step: int, steps: int) -> None:
        self._console = Console()
        self._steps = steps
        self._begun = time.monotonic()
        self._due = self._begun
        self._bar = progress_bars(self._console)
        self._task = self._bar.add_task("training", total=steps, completed=step)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, step: int, line: Mapping[str, float]) -> None:
        """Shows the figures of a line of the log."""
        figures = f"{_measured(line, '  ')}  {line['examples_per_second']:.0f} examples/s"
        self._bar.update(self._task, completed=step, note=figures)
        now = time.monotonic()
        if not self._console.is_terminal and now >= self._due:
            self._due = now + max(QUIET_SECONDS, _SHARE * (now - self._begun))
            left = _duration((self._steps - step) * line["seconds_per_step"])
            self.say(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  step {step}/{self._steps}  {figures}  {left} left")

    def left_out(self, what: Exception) -> None:
        """Prints which record was skipped."""
        kind = "a record that gives no example" if isinstance(what, NothingToLearn) else "a damaged record"
        self.say(f"left out {kind}: {what}")

    def say(self, text: str) -> None:
        """Prints a line, which is wrapped on a terminal only."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=not self._console.is_terminal)

    def note(self, step: int, task: str, line: Mapping[str, float]) -> None:
        """Prints a validation, of one task or of all together ("")."""
        of = f" of {task}" if task else ""
        self.say(f"validation{of} at step {step}: {_measured(line, ', ')}")


def _duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def _measured(line: Mapping[str, float], between: str) -> str:
    """Loss, and accuracy if it was measured."""
    accuracy = f"{between}accuracy {line['accuracy']:.1%}" if "accuracy" in line else ""
    return f"loss {line['loss']:.3f}{accuracy}"
