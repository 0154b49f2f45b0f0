"""A source of clip art that kills its process at one of its items, in a module that worker processes can load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from embodio.datasets.corpus.source import CorpusItem, CorpusPlan, CorpusRequest
from embodio.datasets.corpus.sources.openclipart import OpenClipart


@dataclass(frozen=True)
class CrashingClipart(OpenClipart):
    """Clip art.

    Attributes:
        key: of the item that kills.
        deaths: number of processes that it kills.
        counter: folder with one file for each of them.
    """

    key: str = ""
    deaths: int = 0
    counter: Path = Path()

    def plan(self, request: CorpusRequest) -> CorpusPlan:
        """The items."""
        return replace(super().plan(request), may_crash=True)

    def make(self, item: CorpusItem, seed: int) -> Mapping[str, bytes | str]:
        """One picture, or the end of the process."""
        if item.key == self.key and len(list(self.counter.iterdir())) < self.deaths:
            (self.counter / str(os.getpid())).touch()
            os._exit(134)
        return super().make(item, seed)
