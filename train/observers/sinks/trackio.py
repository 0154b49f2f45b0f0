"""Trackio: a run of trackio, which keeps everything on this machine; look at it with `trackio show`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embodio.train.observers.sinks.sink import Sink, needed, numbers

PROJECT = "embodio"


class TrackioSink(Sink):
    """Logs numbers by step under the name of the run's folder; TRACKIO_PROJECT names another project."""

    def __init__(self, out: Path, settings: Mapping[str, Any], step: int) -> None:
        trackio = needed("trackio", "trackio")
        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        self._run = trackio.init(project=project, name=out.name, config=dict(settings), resume="allow")

    def write(self, line: Mapping[str, Any]) -> None:
        """The numbers of a line."""
        found = dict(numbers(line))
        if found:
            self._run.log(found, step=int(line["step"]))

    def close(self) -> None:
        """Ends the run there."""
        self._run.finish()


SINK = TrackioSink
