"""report.html: a run on one self-contained page, with curves, account of time, and samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from embodio.datasets.pages.html_page import html_page
from embodio.model.writing import write_bytes
from embodio.train.log import read_log
from embodio.train.observers.account import PHASES
from embodio.train.observers.curves import Curve, curves_svg
from embodio.train.observers.log_and_bar import LOG
from embodio.train.observers.observer import Observer
from embodio.train.observers.samples import Sample
from embodio.train.validation import Line

if TYPE_CHECKING:
    from embodio.train.loop import Trainer

REPORT = "report.html"
_COLOURS = ("#8a94a3", "#2456d6", "#1b8a5a", "#c77700", "#7a4fc9", "#c8373a", "#b9c2cd")
_MODALITIES = ("text", "image", "audio")
_RECENT = 10  # lines of a task that its figures are the mean of
_MOST_TROUBLES = 50

Lines = Sequence[Mapping[str, Any]]


class Report(Observer):
    """Writes `report.html` into the folder of a run at each validation and at the end.

    Args:
        sample: makes samples with the network in eval mode; None for none.
    """

    def __init__(self, sample: Callable[[Any], Sequence[Sample]] | None = None) -> None:
        self._sample = sample
        self._samples: Sequence[Sample] = ()

    def on_start(self, trainer: Trainer[Any]) -> None:
        """Remembers the run."""
        self._trainer = trainer

    def on_validation(self, step: int, lines: Mapping[str, Line]) -> None:
        """Makes samples with the averaged weights, and writes the page."""
        if self._sample is not None:
            run = self._trainer.run
            training = run.model.training
            run.model.eval()
            with torch.no_grad(), run.averaged():
                self._samples = self._sample(run.model)
            run.model.train(training)
        self._write(step)

    def on_end(self, step: int, *, failed: bool) -> None:
        """Writes the page once more."""
        if not failed:
            self._write(step)

    def _write(self, step: int) -> None:
        config = self._trainer.config
        out = Path(config.out)
        settings = {name: str(value) for name, value in dataclasses.asdict(config).items()}
        write_bytes(
            out / REPORT, report_html(out.name, read_log(out / LOG), step, config.steps, settings, self._samples)
        )


def report_html(
    title: str, lines: Lines, step: int, steps: int, settings: Mapping[str, str], samples: Sequence[Sample] = ()
) -> bytes:
    """The page in UTF-8.

    Args:
        title: name of the run.
        lines: of its log.
        step: steps done.
        steps: of the whole run.
        settings: name -> value.
        samples: what the network makes of some examples.
    """
    train = [line for line in lines if line["kind"] == "train" and "task" not in line]
    held_out = [line for line in lines if line["kind"] == "validation" and "task" not in line]
    tables = {
        "Tasks of the stream": _tasks(lines, "train", ("share",)),
        "Held-out records by task": _tasks(lines, "validation", ("loss",)),
    }
    return html_page(
        "embodio.train.observers",
        "run.html",
        title=title,
        step=step,
        steps=steps,
        tiles=_tiles(train, held_out),
        charts=_charts(train, held_out),
        tables={name: table for name, table in tables.items() if table["rows"]},
        phases=_phases(train),
        samples=samples,
        troubles=[f"step {line['step']}: {line['what']}" for line in lines if "what" in line][-_MOST_TROUBLES:],
        settings=settings,
    )


def _tiles(train: Lines, held_out: Lines) -> dict[str, str]:
    """The last figures, name -> value."""
    last: dict[str, Any] = {}
    for line in train[-_RECENT:]:
        last |= line
    found = {"loss": f"{last['loss']:.3f}"} if "loss" in last else {}
    newest: Mapping[str, Any] = held_out[-1] if held_out else {}
    if "loss" in newest:
        found["loss, held out"] = f"{newest['loss']:.3f}"
    for name in _MODALITIES:
        shown = newest if f"bits_{name}" in newest else last
        if f"bits_{name}" in shown:
            found[f"bits a token of {name}, of {shown[f'unigram_{name}']:.2f} without context"] = (
                f"{shown[f'bits_{name}']:.2f}"
            )
    for key, label, form in (
        ("tokens_per_second", "tokens a second", "{:,.0f}"),
        ("examples_per_second", "examples a second", "{:.1f}"),
        ("padding", "padding", "{:.1%}"),
        ("mfu", "of the peak of matrix products", "{:.1%}"),
        ("memory_mb", "MB of memory at most", "{:,.0f}"),
    ):
        if key in last:
            found[label] = form.format(last[key])
    return found


def _charts(train: Lines, held_out: Lines) -> list[Any]:
    """The curves that have points."""
    charts = [curves_svg("loss", _pair(train, held_out, "loss"))]
    for name in _MODALITIES:
        known = [line for line in (*train, *held_out) if f"unigram_{name}" in line]
        unigram = Curve("entropy without context", _points(sorted(known, key=_step), f"unigram_{name}"), "reference")
        bits = _pair(train, held_out, f"bits_{name}")
        charts.append(
            curves_svg(f"bits per token of {name}", [*bits, unigram] if any(one.points for one in bits) else [])
        )
        charts.append(curves_svg(f"accuracy of {name}", _pair(train, held_out, f"accuracy_{name}")))
    for key, label in (
        ("rate", "learning rate"),
        ("norm", "norm of the gradient"),
        ("tokens_per_second", "tokens a second"),
        ("padding", "share of padding"),
        ("mfu", "use of the peak of matrix products"),
    ):
        charts.append(curves_svg(label, [Curve("training", _points(train, key))]))
    return [chart for chart in charts if chart is not None]


def _step(line: Mapping[str, Any]) -> int:
    return int(line["step"])


def _pair(train: Lines, held_out: Lines, key: str) -> list[Curve]:
    return [Curve("training", _points(train, key)), Curve("held out", _points(held_out, key), "validation")]


def _points(lines: Iterable[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(float(line["step"]), float(line[key])) for line in lines if key in line]


def _tasks(lines: Lines, kind: str, first: Sequence[str]) -> dict[str, Any]:
    """A table of the newest figures of each task: the mean over its last lines in training, the last in validation."""
    by_task: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        if line["kind"] == kind and "task" in line:
            by_task.setdefault(str(line["task"]), []).append(line)
    keys = [*first, *(f"{what}_{name}" for name in _MODALITIES for what in ("bits", "unigram", "accuracy"))]
    keys = [key for key in keys if any(key in line for found in by_task.values() for line in found)]
    rows = []
    for task, found in sorted(by_task.items()):
        recent = found[-_RECENT:] if kind == "train" else found[-1:]
        rows.append([task, *(_mean([line[key] for line in recent if key in line], key) for key in keys)])
    return {"columns": ["task", *(key.replace("_", " ") for key in keys)], "rows": rows}


def _mean(values: Sequence[float], key: str) -> str:
    if not values:
        return ""
    mean = sum(values) / len(values)
    return f"{mean:.1%}" if key.startswith(("share", "accuracy")) else f"{mean:.3f}"


def _phases(train: Lines) -> list[dict[str, str]]:
    """The account of time over all lines, each weighted by its time a step."""
    weights = [float(line.get("seconds_per_step", 0.0)) for line in train]
    total = sum(weights)
    found = []
    for phase, colour in zip(PHASES, _COLOURS, strict=True):
        seconds = [float(line.get(f"time_{phase}", 0.0)) * weight for line, weight in zip(train, weights, strict=True)]
        share = sum(seconds) / total if total else 0.0
        if share:
            found.append({"name": phase, "share": f"{share:.1%}", "width": f"{100 * share:.2f}", "colour": colour})
    return found
