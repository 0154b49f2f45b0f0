"""The account of a run: where its time goes, tokens that count per second, padding, use of the device, memory."""

from __future__ import annotations

import functools
import time
from typing import Any

import torch

from embodio.model.config.model import ModelConfig
from embodio.model.process_memory import peak_memory
from embodio.train.observers.example_sizes import batch_size
from embodio.train.observers.observer import StepReport

PHASES = ("batch", "forward", "backward", "update", "validation", "checkpoint", "rest")
"""What the time of a run is divided into; "rest" is the loop itself and those that watch it."""

_SIDES = {"cpu": 1024, "cuda": 8192}  # of the largest matrices that the peak is measured with
_SMALLEST_SIDE = 256
_LONG = 0.02  # seconds; where a product takes longer, a larger one would be no faster
_REPEATS = 5


class Account:
    """Measures a run between lines of its log.

    Args:
        network: what is trained; tokens and operations are counted for ours only.
        device: where it computes.
        precision: "float32", "bfloat16" or "float16".
        parts: parts of a batch, of which this process computes one; the others are taken to be as large.
        processes: that compute all of them.
    """

    def __init__(
        self, network: Any, device: torch.device, precision: str, *, parts: int = 1, processes: int = 1
    ) -> None:
        self._parts, self._processes = parts, processes
        config = getattr(network, "config", None)
        self._config = config if isinstance(config, ModelConfig) else None
        self._device, self._precision = device, precision
        self._peak: float | None = None
        self.restart()

    def restart(self) -> None:
        """Begins to measure, now."""
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._tokens, self._places, self._operations_per_token = 0, 0, 0.0
        self._since = self._mark = time.perf_counter()

    def add(self, report: StepReport) -> None:
        """Adds a step."""
        for phase, seconds in report.seconds.items():
            self._seconds[phase] = self._seconds.get(phase, 0.0) + seconds
        if self._config is not None:
            sizes = [batch_size(batch, self._config) for batch in report.batches]
            tokens = sum(size.tokens for size in sizes)
            self._tokens += tokens
            self._places += sum(size.places for size in sizes)
            if not self._operations_per_token and tokens:  # of one step, as counting takes time
                operations = sum(size.flops(self._config) for size in sizes)
                self._operations_per_token = operations / tokens
        self.mark()

    def mark(self, phase: str | None = None) -> None:
        """Counts the time since the last mark as that of a phase, or not at all."""
        now = time.perf_counter()
        if phase is not None:
            self._seconds[phase] += now - self._mark
        self._mark = now

    def line(self) -> dict[str, float]:
        """What was measured since the last line; measuring begins again.

        Returns:
            `time_` of each phase as a share of all; `tokens_per_second`, `padding` and `mfu` of our networks, the
            latter a share of the measured peak of matrix products; `memory_mb`, the largest so far.
        """
        whole = max(1e-9, time.perf_counter() - self._since)
        self._seconds["rest"] = max(0.0, whole - sum(self._seconds.values()))
        found = {f"time_{phase}": seconds / whole for phase, seconds in self._seconds.items()}
        if self._tokens:
            if self._peak is None:
                self._peak = peak_operations(self._device, self._precision)
            computing = sum(self._seconds[phase] for phase in ("forward", "backward", "update"))
            found |= {
                "tokens_per_second": self._tokens * self._parts / whole,
                "padding": 1.0 - self._tokens / self._places,
                "mfu": self._operations_per_token
                * (self._tokens * self._parts / self._processes / max(1e-9, computing) / self._peak),
            }
        found["memory_mb"] = memory_mb(self._device)
        self.restart()
        return found


def peak_operations(device: torch.device, precision: str) -> float:
    """Floating-point operations a second of a large matrix product on this device, the best of a few.

    It takes about 0.3 s, once in a process for each number of threads. The matrices grow until a product takes long, as
    many CPUs multiply bfloat16 many times slower than float32.
    """
    return _measured_peak(device, precision, torch.get_num_threads())


@functools.cache
def _measured_peak(device: torch.device, precision: str, threads: int) -> float:
    largest, side = _SIDES.get(device.type, _SIDES["cpu"]), _SMALLEST_SIDE
    while (seconds := _seconds_of_a_product(device, precision, side)) < _LONG and side < largest:
        side = min(4 * side, largest)
    return 2.0 * side**3 / seconds


def _seconds_of_a_product(device: torch.device, precision: str, side: int) -> float:
    """The shortest time of a few products of square matrices."""
    matrix = torch.ones(side, side, dtype=getattr(torch, precision), device=device)
    fastest = float("inf")
    with torch.inference_mode():
        for _ in range(_REPEATS):
            began = time.perf_counter()
            product = matrix @ matrix
            product[0, 0].item()  # a GPU has done it only now
            fastest = min(fastest, time.perf_counter() - began)
    return fastest


def memory_mb(device: torch.device) -> float:
    """The largest memory so far: of the GPU, else of this process, in MB (2 ** 20 bytes)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_memory() * 1e6 / 2**20
