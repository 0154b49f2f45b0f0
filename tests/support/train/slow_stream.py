"""A stream of batches that stops giving any, so that training waits for one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from embodio.datasets.stream.stream import BatchStream

LAST = 3


class SlowStream(BatchStream):
    """Makes batches 0 to `LAST` - 1 as `BatchStream` does, and the next one never."""

    def make(self, step: int, allocate: Any = np.empty) -> Any:
        """Batch number `step`."""
        if step >= LAST:
            time.sleep(3600)
        return super().make(step, allocate)
