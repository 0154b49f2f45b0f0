"""Shard files: each process writes its own part of a checkpoint, and any number of processes goes on from them.

The parts are safetensors files that say which part of which tensor they hold, through torch's distributed checkpoints.
The rest of the folder is that of any run (`embodio.train.checkpoints.run`).
"""

from __future__ import annotations

import contextlib
import errno
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from embodio.model.writing import WriteError
from embodio.train.checkpoints.kept import damaged
from embodio.train.optimisers.sharded_tensors import same_bits


def write_shards(folder: Path, tensors: Mapping[str, Tensor], group: dist.ProcessGroup | None = None) -> None:
    """Writes the part of this process; all processes call it with the same names.

    Args:
        folder: exists, and is the same for all.
        tensors: DTensors, or tensors that are the same in all processes.
        group: of the processes; None for all.
    """
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    save(dict(tensors), storage_writer=writer, process_group=group)


def sharded_shapes(folder: Path) -> dict[str, torch.Size]:
    """Name -> shape of all tensors of a sharded checkpoint.

    Raises:
        ResumeError: a part is missing or damaged.
    """
    with _damage_named(folder):
        metadata = HuggingFaceStorageReader(str(folder)).read_metadata()
    return {name: one.size for name, one in metadata.state_dict_metadata.items() if hasattr(one, "size")}


def read_shards(folder: Path, tensors: Mapping[str, Tensor], group: dist.ProcessGroup | None = None) -> None:
    """Fills tensors, whichever way they are sharded here; without other processes if there are none.

    Args:
        folder: of the parts.
        tensors: name -> what is filled, of the shapes of `sharded_shapes`.
        group: of the processes, which all call it; None for all.

    Raises:
        ResumeError: a part is missing or damaged.
    """
    reader, alone = HuggingFaceStorageReader(str(folder)), not dist.is_initialized()
    with _damage_named(folder), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        load(dict(tensors), storage_reader=reader, process_group=group, no_dist=alone)


def verify_shards(folder: Path, tensors: Mapping[str, Tensor], group: dist.ProcessGroup | None = None) -> None:
    """Reads back what `write_shards` wrote, each process its own part; takes the memory of that part once more.

    Raises:
        ResumeError: a part cannot be read.
        WriteError: a tensor is not what was written.
    """
    found = {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}
    read_shards(folder, found, group)
    for name, tensor in tensors.items():
        if not same_bits(found[name], tensor):
            raise WriteError(errno.EIO, f"{name} is not what was written when it is read back", str(folder))


@contextlib.contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    """Turns what torch says of parts that it cannot read into the error about a damaged checkpoint."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError, CheckpointException) as error:
        raise damaged(folder, str(error).strip().partition("\n")[0][:200] or type(error).__name__) from error
