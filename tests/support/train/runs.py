"""Small training runs on toy data."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from embodio.agent import PolicyConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.train.config import TrainConfig
from embodio.train.optimisers.config import OptimiserConfig


def settings(data: Path, out: Path, **changes: object) -> TrainConfig:
    config = TrainConfig(
        data=str(data),
        out=str(out),
        steps=6,
        batch_size=4,
        holdout=1,
        threads=1,
        workers=0,
        log_every=1,
        validate_every=3,
        checkpoint_every=2,
        policy=PolicyConfig(cameras=("front", "hand"), chunk=2),
        augment=AugmentConfig(shift=2, brightness=0.1, contrast=0.1, colour=0.1),
        optimiser=OptimiserConfig(warmup=2),
    )
    return dataclasses.replace(config, **changes)


def same_files(one: Path, other: Path) -> bool:
    names = ("model.safetensors", "training.safetensors")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


COMMAND = (
    *("-c", "import sys; from embodio.train.main import main; sys.exit(main())"),
    *("steps=6", "batch_size=4", "holdout=1", "threads=1", "log_every=1", "validate_every=3", "checkpoint_every=2"),
    *("policy.cameras=[front,hand]", "policy.chunk=2", "augment.shift=2", "augment.brightness=0.1"),
    *("augment.contrast=0.1", "augment.colour=0.1", "optimiser.warmup=2"),
)


def start_training(data: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """`embodio-train` in a process of its own, with the settings of `settings`."""
    command = [sys.executable, *COMMAND, f"data={data}", f"out={out}", *more]
    return subprocess.Popen(command, cwd=Path(__file__).parents[3], env=dict(os.environ))
