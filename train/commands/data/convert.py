"""`embodio-data convert`: any data set as RLDS or LeRobot v3, with a progress bar; an interrupted one goes on."""

from __future__ import annotations

from rich.console import Console

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.opening import open_source
from embodio.datasets.progress import counted
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import ConvertDataConfig

_SHOWN = 5  # damaged episodes


def convert_data(config: ConvertDataConfig) -> int:
    """Writes a data set again and says what was left out; returns the exit code."""
    require_writable(config.out, folder=True)
    source = open_source(config.source, folder=config.folder, split=config.split)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    with counted("episodes", len(source), console) as done:
        try:
            result = convert(source, config.out, config.settings, done=done)
        except KeyboardInterrupt:
            console.print("What is written so far is kept: the same command goes on from there")
            raise
    source.close()
    if result.resumed:
        console.print(f"{result.resumed} episodes were there from a run that did not finish")
    if result.left_out:
        console.print(f"fields left out: {', '.join(result.left_out)}")
    for index, problem in list(result.skipped.items())[:_SHOWN]:
        console.print(f"left out: episode {index}: {problem}")
    more = len(result.skipped) - _SHOWN
    if more > 0:
        console.print(f"and {more} more, listed in {result.folder / 'conversion.json'}")
    console.print(f"{result.folder}: {result.episodes} episodes, {len(result.skipped)} left out")
    return 0
