"""TensorBoard: event files in the folder `tensorboard` of a run; look at them with `tensorboard --logdir`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from embodio.train.observers.sinks.sink import Sink, needed, numbers

FOLDER = "tensorboard"


class TensorBoardSink(Sink):
    """Writes numbers as scalars and damage as text; what comes again after a resume replaces what was there."""

    def __init__(self, out: Path, settings: Mapping[str, Any], step: int) -> None:
        needed("tensorboard", "tensorboard")
        # The presence of this module, even empty, is how TensorBoard is asked for its own stand-in for TensorFlow,
        # which would take seconds to import and can end a process that has other libraries loaded.
        sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(out / FOLDER), purge_step=step + 1 if step else None)  # type: ignore[no-untyped-call]

    def write(self, line: Mapping[str, Any]) -> None:
        """A scalar for each number; a text for what is not measured."""
        step = int(line["step"])
        for name, value in numbers(line):
            self._writer.add_scalar(name, value, step)  # type: ignore[no-untyped-call]
        if "what" in line:
            self._writer.add_text(str(line["kind"]), str(line["what"]), step)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()  # type: ignore[no-untyped-call]


SINK = TensorBoardSink
