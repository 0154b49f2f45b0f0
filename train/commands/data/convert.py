"""`embodio-data convert`: any data set as RLDS or LeRobot v3, with a progress bar; an interrupted one resumes."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from rich.console import Console

from embodio.datasets.conversion.conversion import convert
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.opening import open_source
from embodio.datasets.progress import counted, progress_bars
from embodio.datasets.rlds.dataset_info import INFO_NAME
from embodio.datasets.sources.rlds import version_folder
from embodio.datasets.tfds.names import is_tfds, prepared_folder, unread_fields, why_unreadable
from embodio.datasets.tfds.process import run_program
from embodio.train.command_line.output_path import require_writable
from embodio.train.commands.data.schemas import ConvertDataConfig

_SHOWN = 5  # damaged episodes


def convert_data(config: ConvertDataConfig) -> int:
    """Converts a data set and reports what was left out; returns the exit code."""
    require_writable(config.out, folder=True)
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    copy = _copy_by_tfds(config, console)
    source = open_source(copy) if copy else open_source(config.source, folder=config.folder, split=config.split)
    with counted("episodes", len(source), console) as done:
        try:
            result = convert(source, config.out, config.settings, done=done)
        except KeyboardInterrupt:
            console.print("What is written so far is kept: the same command goes on from there")
            raise
    source.close()
    if copy:
        shutil.rmtree(copy)
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


def _copy_by_tfds(config: ConvertDataConfig, console: Console) -> Path | None:
    """A copy of data that only tfds reads, kept until the conversion is done; None if not needed."""
    if not is_tfds(config.source):
        return None
    place = version_folder(prepared_folder(config.source, config.folder))
    why = why_unreadable(place) or unread_fields(place)
    if not why:
        return None
    console.print(f"read by tfds, in a process of its own: {why}")
    request = {"folder": str(place), "split": config.split or "train"}
    digest = hashlib.sha256(json.dumps(request).encode()).hexdigest()[:8]
    copy = config.out.absolute().with_name(f".{config.out.absolute().name}.tfds-{digest}")
    with sole_user(copy, "copying into"):
        if not (copy / INFO_NAME).exists():
            with progress_bars(console) as progress:
                task = progress.add_task("episodes", total=None)
                answer = run_program(
                    "export", {**request, "out": str(copy)}, lambda count: progress.update(task, completed=count)
                )
            if answer["empty"]:
                console.print(f"left out: {answer['empty']} episodes without steps")
            for reason in answer["left_out"].values():
                console.print(f"left out: {reason}")
    return copy
