"""Progress bars: the columns that every command draws, on terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Note(ProgressColumn):
    """The field `note` of a task, where it has one."""

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("note", "")))


def progress_bars(console: Console | None = None, *, visible: bool | None = None) -> Progress:
    """Bars with description, bar, count, note, time so far and time left.

    Args:
        console: where it is drawn; None for the standard output.
        visible: whether to draw it; None where `console` is a terminal.
    """
    console = console or Console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Note(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (console.is_terminal if visible is None else visible),
    )


@contextmanager
def counted(description: str, total: int, console: Console) -> Iterator[Callable[[int], None]]:
    """One bar over a known number of things; yields a function to call with the number that are done."""
    with progress_bars(console) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count: progress.update(task, completed=count)
