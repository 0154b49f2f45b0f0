"""Shard files: each process writes its own part of a checkpoint, and any number of processes goes on from them.

The parts are safetensors files that say which part of which tensor they hold, through torch's distributed checkpoints.
The rest of the folder is that of any run (`embodio.train.checkpoints.run`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter

from embodio.train.errors import ResumeError

SHARDS = "training"
"""The folder of the parts in a checkpoint."""


def write_shards(folder: Path, tensors: Mapping[str, Tensor], group: dist.ProcessGroup | None = None) -> None:
    """Writes the part of this process; all processes call it with the same names.

    Args:
        folder: exists, and is the same for all.
        tensors: DTensors, or tensors that are the same in all processes.
        group: of the processes; None for all.
    """
    writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
    dcp.save(dict(tensors), storage_writer=writer, process_group=group)


def sharded_shapes(folder: Path) -> dict[str, torch.Size]:
    """Name -> shape of all tensors of a sharded checkpoint.

    Raises:
        ResumeError: a part is missing or damaged.
    """
    try:
        metadata = HuggingFaceStorageReader(str(folder)).read_metadata()
    except Exception as error:
        raise _damaged(folder, error) from error
    return {name: one.size for name, one in metadata.state_dict_metadata.items() if hasattr(one, "size")}


def read_shards(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Fills tensors, whichever way they are sharded here; without other processes if there are none.

    Args:
        folder: of the parts.
        tensors: name -> what is filled, of the shapes of `sharded_shapes`.

    Raises:
        ResumeError: a part is missing or damaged.
    """
    logging.getLogger("torch.distributed.checkpoint").setLevel(logging.ERROR)
    try:
        dcp.load(
            dict(tensors),
            storage_reader=HuggingFaceStorageReader(str(folder)),
            no_dist=not dist.is_initialized(),
        )
    except Exception as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> ResumeError:
    reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
    return ResumeError(
        f"{folder} is damaged: {reason[0][:200]}. Put back a copy of {folder.parent}, or delete it to begin at step 0"
    )
