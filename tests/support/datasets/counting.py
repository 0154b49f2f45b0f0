"""Batches that only count, and whether a process is alive."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from embodio.datasets.errors import ExampleError
from embodio.model.network.batch import Allocate


@dataclass
class Counting:
    """Makes batches that say their number, and does something else at one of them."""

    special: int = -1
    action: str = ""
    size: int = 8
    damaged: tuple[ExampleError, ...] = ()

    def make(
        self, step: int, allocate: Allocate = np.empty
    ) -> tuple[dict[str, torch.Tensor], tuple[ExampleError, ...]]:
        damage: tuple[ExampleError, ...] = ()
        if self.action == "damage":
            damage = (ExampleError("toy", step // 2, 3, "flipped bits"),)
        elif step == self.special:
            if self.action == "raise":
                raise ExampleError("toy", 7, 5, "the state is upside down")
            if self.action == "odd":
                raise type("Odd", (Exception,), {})("nobody knows me")
            if self.action == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.action == "tell":
                raise LookupError(f"told {os.environ.get('EMBODIO_TOLD')}")
            if self.action == "sleep":
                time.sleep(1000)
        rows = 1 + step % 3
        number = torch.from_numpy(allocate((rows, self.size), np.dtype(np.int64)))
        left_out = allocate((rows, self.size), np.dtype(np.float32))
        left_out.fill(np.nan)
        tensors = {
            "number": number.fill_(step),
            "mask": torch.ones(rows, 2, dtype=torch.bool),
            "none": torch.zeros(0, 4),
        }
        return tensors, damage


def alive(pid: int) -> bool:
    try:
        return " Z" not in Path(f"/proc/{pid}/stat").read_text().partition(")")[2][:3]
    except OSError:
        return False
