"""Settings of training on many devices, common to all experiments."""

from __future__ import annotations

import os
from dataclasses import dataclass

from embodio.train.command_line.ranges import AT_LEAST_ONE, POSITIVE, require_ranges


@dataclass(frozen=True)
class ParallelConfig:
    """How a run that `torchrun` starts is shared out; a single process does not read it.

    Attributes:
        replicate: copies of the network, each sharded over an equal share of the processes (hybrid sharding); take the
            number of machines where the network between them is slow.
        tensor: processes that share the layers of the transformer (tensor parallelism) and read the same batch; keep
            them on one machine.
        asynchronous: write checkpoints while training goes on.
        timeout: seconds after which a process that does not answer ends the run.
    """

    replicate: int = 1
    tensor: int = 1
    asynchronous: bool = False
    timeout: float = 600.0

    def __post_init__(self) -> None:
        require_ranges(self, "parallel.", replicate=AT_LEAST_ONE, tensor=AT_LEAST_ONE, timeout=POSITIVE)


def is_parallel() -> bool:
    """Whether `torchrun` started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
