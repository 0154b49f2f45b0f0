"""Wandb: a run of Weights & Biases, in the project that WANDB_PROJECT names; WANDB_MODE=offline sends nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.train.observers.sinks.sink import Sink, needed, numbers

PROJECT = "embodio"


class WandbSink(Sink):
    """Logs numbers by step under the name of the run's folder."""

    def __init__(self, out: Path, settings: Mapping[str, Any], step: int) -> None:
        wandb = needed("wandb", "wandb")
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        self._run = wandb.init(project=project, name=out.name, dir=str(out), config=dict(settings), resume="allow")

    def write(self, line: Mapping[str, Any]) -> None:
        """The numbers of a line."""
        found = dict(numbers(line))
        if found:
            self._run.log({**found, "step": int(line["step"])})

    def close(self) -> None:
        """Ends the run there."""
        self._run.finish()


SINK = WandbSink
