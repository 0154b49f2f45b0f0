"""Several processes train what one trains: losses, checkpoints of any number of processes, and the loss of one."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from embodio.datasets.errors import ExampleError
from embodio.model.network.batch import Batch
from embodio.train.checkpoints.run import restore_run
from embodio.train.log import read_log
from embodio.train.main import trainer_of
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.parallel.config import ParallelConfig
from embodio.train.parallel.trainer import train_together
from tests.support.toy_experiment import RandomText, ToyConfig, build
from tests.support.train.processes import together


@dataclasses.dataclass(frozen=True)
class SharedText(RandomText):
    """Random text of which a process makes a part; the texts differ in length, so parts differ in tokens."""

    rank: int = 0
    ranks: int = 1
    pause: float = 0.0

    def shared_out(self, rank: int, ranks: int) -> SharedText:
        return dataclasses.replace(self, rank=rank, ranks=ranks)

    def make(self, step: int, allocate: Any = None) -> tuple[Batch, tuple[ExampleError, ...]]:
        batch = dict(super().make(step)[0])
        mask = torch.arange(self.length) <= torch.arange(self.rows)[:, None] % self.length
        batch["targets/text/mask"] = mask.int()
        share = self.rows // self.ranks
        time.sleep(self.pause)
        return {key: value[self.rank * share : (self.rank + 1) * share] for key, value in batch.items()}, ()


def parts(config: ToyConfig, pause: float = 0.0) -> Any:
    torch.manual_seed(config.seed)
    found = build(config)
    found.batches = SharedText(config.seed, config.batch_size, config.length, pause=pause)
    return found


def slow_parts(config: ToyConfig) -> Any:
    return parts(config, pause=0.3)


def settings(out: Path, **changes: Any) -> ToyConfig:
    config = ToyConfig(
        out=str(out),
        steps=4,
        batch_size=4,
        threads=1,
        workers=0,
        log_every=1,
        validate_every=4,
        checkpoint_every=2,
        optimiser=OptimiserConfig(warmup=2, clip=0.5),
    )
    return dataclasses.replace(config, **changes)


def alone(config: ToyConfig) -> None:
    """The same run in this process."""
    found = parts(config)
    trainer = trainer_of(found, config)
    restore_run(Path(config.out) / "checkpoint", trainer.run, config)
    trainer.train()


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in read_log(out / "log.jsonl") if line["kind"] == "train"]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "checkpoint" / "model.safetensors")


def require_same(one: Path, other: Path, tolerance: float = 1e-5) -> None:
    assert losses(one) == pytest.approx(losses(other), abs=tolerance) and len(losses(one)) == 4
    mine, others = weights(one), weights(other)
    assert mine.keys() == others.keys()
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, others[name], atol=1e-4, rtol=1e-3)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plain")
    alone(settings(out))
    return out


def test_two_processes_have_the_losses_of_one_and_their_checkpoint_goes_on_with_one_and_with_four(
    plain: Path, tmp_path: Path
) -> None:
    assert together(2, train_together, settings(tmp_path, stop_after=2), parts) == [0, 0]
    four = tmp_path.with_name("four")
    import shutil

    shutil.copytree(tmp_path, four)
    alone(settings(tmp_path))
    require_same(tmp_path, plain)
    copies = ParallelConfig(replicate=2)
    assert together(4, train_together, settings(four, parallel=copies), parts) == [0] * 4
    require_same(four, plain)
