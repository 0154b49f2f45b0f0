"""World: the processes that train together, started by `torchrun`, and what they tell each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from embodio.train.errors import TrainError
from embodio.train.parallel.config import ParallelConfig

REPLICATE, SHARD, TENSOR = "replicate", "shard", "tensor"
"""Names of the dimensions of the mesh: copies of the network, shards of a copy, parts of a layer."""
_LOST = ("closed by peer", "Connection reset", "Broken pipe", "Timed out", "timed out", "gloo", "NCCL", "Socket")


@dataclass(frozen=True)
class TrainingWorld:
    """The processes of a run.

    Attributes:
        mesh: their grid, with the dimensions "replicate", "shard" and "tensor".
        device: of this process.
        writers: all processes, for what the writing of checkpoints needs while training goes on.
    """

    mesh: DeviceMesh
    device: torch.device
    writers: dist.ProcessGroup

    @property
    def is_first(self) -> bool:
        """Whether this process writes log and checkpoints."""
        return dist.get_rank() == 0

    @property
    def ranks(self) -> int:
        """Number of parts of a batch; processes that share layers have the same part."""
        return self.mesh[REPLICATE].size() * self.mesh[SHARD].size()

    @property
    def rank(self) -> int:
        """Number of the part of a batch that is this process's."""
        return self.mesh.get_local_rank(REPLICATE) * self.mesh[SHARD].size() + self.mesh.get_local_rank(SHARD)

    def summed(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Scalars added over all parts of a batch; a name that only some processes have counts as 0 in the others."""
        names = sorted(set().union(*gathered(sorted(values))))
        if not names:
            return {}
        zero = torch.zeros((), dtype=torch.float64)
        total = torch.stack([values[name].detach().double().cpu() if name in values else zero for name in names])
        total = total.to(self.device)
        for dimension in (REPLICATE, SHARD):
            dist.all_reduce(total, group=self.mesh.get_group(dimension))
        return dict(zip(names, total.float(), strict=True))

    def meet(self) -> None:
        """Waits until all processes are here."""
        dist.barrier(group=self.writers)

    def largest(self, number: int) -> int:
        """The largest of the numbers of all processes."""
        found = torch.tensor(number, device=self.device)
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def failed(self, failure: Exception | None) -> Exception | None:
        """The first failure of any process, the same in all; None if none has one."""
        return next(filter(None, gathered(failure)), None)


def gathered(value: Any, group: dist.ProcessGroup | None = None) -> list[Any]:
    """A value of each process, by rank; all of them call it.

    Args:
        value: of this one; it is pickled.
        group: all processes, by another way than training; None for that of training.
    """
    found: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(found, value, group=group)
    return found


@contextlib.contextmanager
def joined_world(config: ParallelConfig, device: str) -> Iterator[TrainingWorld]:
    """Joins the other processes; they part when the block ends.

    Args:
        config: how the run is shared out.
        device: "cpu" or "cuda"; of several GPUs each process takes the one of its number on the machine.

    Raises:
        TrainError: the processes cannot be divided as the settings say, or one of them ended or does not answer.
    """
    size = int(os.environ["WORLD_SIZE"])
    if size % (config.replicate * config.tensor):
        raise TrainError(
            f"parallel: {size} processes cannot be divided into {config.replicate} copies with layers shared by "
            f"{config.tensor}; set parallel.replicate and parallel.tensor so that their product divides {size}"
        )
    kind = torch.device(device).type
    own = torch.device(kind, int(os.environ.get("LOCAL_RANK", "0"))) if kind != "cpu" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(own)
    backend = "gloo" if kind == "cpu" else f"cpu:gloo,{kind}:nccl"
    with _lost_processes_named():
        dist.init_process_group(backend, timeout=timedelta(seconds=config.timeout))
        try:
            shape = (config.replicate, size // config.replicate // config.tensor, config.tensor)
            mesh = init_device_mesh(kind, shape, mesh_dim_names=(REPLICATE, SHARD, TENSOR))
            yield TrainingWorld(mesh, own, dist.new_group(backend="gloo"))
        finally:
            dist.destroy_process_group()


@contextlib.contextmanager
def _lost_processes_named() -> Iterator[None]:
    """Turns what a backend says of a connection that broke into an error for people."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(part in str(error) for part in _LOST):
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise TrainError(
                f"parallel: another process of the run ended or does not answer ({reason[:200]}); its own message says "
                "why. Start all of them again to go on from the last checkpoint"
            ) from error
        raise
