"""Several processes train what one trains: losses, checkpoints of any number of processes, and the loss of one."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

from embodio.datasets.errors import WHOLE, DatasetError, ExampleError
from embodio.model.network.batch import POSITIONS, Batch
from embodio.model.writing import WriteError
from embodio.train.bundles import NetworkBundle
from embodio.train.checkpoints.kept import fall_back
from embodio.train.checkpoints.run import restore_run
from embodio.train.errors import TrainError
from embodio.train.log import RunLog, read_log
from embodio.train.main import trainer_of
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.parallel import sharded_run
from embodio.train.parallel.config import ParallelConfig
from embodio.train.parallel.shard_files import write_shards
from embodio.train.parallel.sharded_run import SavedRun, save_sharded
from embodio.train.parallel.trainer import parallel_trainer, refuse_unshareable, train_together
from embodio.train.parallel.world import joined_world
from embodio.train.run_config import LoraConfig
from tests.support.toy_experiment import RandomText, ToyConfig, build
from tests.support.train.processes import started, together


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
        batch[POSITIONS] = step * self.rows + torch.arange(self.rows)
        share = self.rows // self.ranks
        time.sleep(self.pause)
        return {key: value[self.rank * share : (self.rank + 1) * share] for key, value in batch.items()}, ()

    def task_at(self, position: int) -> str:
        return "first" if position % self.rows == 0 else "others"


@dataclasses.dataclass(frozen=True)
class DamagedPart(SharedText):
    """The second process finds a damaged record in the third batch."""

    def make(self, step: int, allocate: Any = None) -> tuple[Batch, tuple[ExampleError, ...]]:
        if step == 2 and self.rank == 1:
            raise ExampleError("words", 7, WHOLE, "is torn")
        return super().make(step)


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


def lines(out: Path, task: str | None = None) -> list[dict[str, Any]]:
    return [line for line in read_log(out / "log.jsonl") if line["kind"] == "train" and line.get("task") == task]


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in lines(out)]


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


def test_two_processes_have_the_losses_of_one_and_their_checkpoint_goes_on_with_one(
    plain: Path, tmp_path: Path
) -> None:
    assert together(2, train_together, settings(tmp_path, stop_after=2), parts) == [0, 0]
    assert (tmp_path / "checkpoint" / "training").is_dir()
    alone(settings(tmp_path))
    require_same(tmp_path, plain)
    for task in (None, "first", "others"):  # the log of the two is that of all parts of a batch
        for mine, other in zip(lines(tmp_path, task)[:2], lines(plain, task)[:2], strict=True):
            keys = ["bits_text", "accuracy_text", "tokens_text", *(["unigram_text"] if task is None else ["share"])]
            assert [mine[key] for key in keys] == pytest.approx([other[key] for key in keys], abs=1e-4)


def test_a_damaged_part_of_one_process_falls_back_to_the_checkpoint_before(plain: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, checkpoint_every=1, keep=2, stop_after=3)
    assert together(2, train_together, config, parts) == [0, 0]
    part = max((tmp_path / "checkpoint" / "training").iterdir())
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    said = fall_back(tmp_path).said
    assert said.startswith(f"{tmp_path / 'checkpoint'} is damaged: ") and part.name in said
    assert said.endswith("Falling back to the checkpoint before it, of step 2.")
    alone(settings(tmp_path))
    require_same(tmp_path, plain)


@pytest.mark.slow
def test_parameters_are_released_in_all_processes(tmp_path: Path) -> None:
    """A layer, and a part of what is one unit; before and after a checkpoint."""
    one, two = tmp_path / "one", tmp_path / "two"
    freeze = {"encoder.layers.*": 0.5, "text_embedding.*": 0.75, "decoder.norm.*": 1.0}
    alone(settings(one, freeze=freeze))
    for stop in (1, 0):
        assert together(2, train_together, settings(two, freeze=freeze, stop_after=stop), parts) == [0, 0]
    require_same(two, one)


@pytest.mark.slow
def test_low_rank_changes_are_trained_together_and_go_on_alone(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    lora = LoraConfig(rank=2, train=("text_embedding.*",))
    alone(settings(one, lora=lora))
    for stop in (2, 1):
        assert together(2, train_together, settings(two, lora=lora, stop_after=stop), parts) == [0, 0]
    assert (two / "base.safetensors").is_file() and not (two / "checkpoint" / "base.safetensors").exists()
    alone(settings(two, lora=lora))
    require_same(two, one)


def failing_saves(config: ToyConfig) -> list[str]:
    """What `save_sharded` raises in this process for faults of one process or the other, and then the steps kept."""

    def fails(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def torn(folder: Path, *rest: Any) -> None:
        write_shards(folder, *rest)
        if world.is_first:
            [path, *_] = sorted(folder.iterdir())
            with path.open("r+b") as file:  # in place: the other process may be reading it
                file.seek(-1, os.SEEK_END)
                file.write(b"?")

    found = list[str]()
    folder = Path(config.out) / "checkpoint"
    with joined_world(config.parallel, "cpu") as world:
        trainer = parallel_trainer(parts(config), config, world)
        for place, name, fault, rank in (
            (sharded_run, "replacing_folder", fails, 0),
            (HuggingFaceStorageWriter, "write_data", fails, 1),
            (sharded_run, "write_shards", torn, None),
            (NetworkBundle, "write", fails, 0),
            (sharded_run, "write_json", fails, 0),
            (sharded_run, "prune", fails, 0),
        ):
            saved = SavedRun.of(trainer.run, trainer.bundle, config, world, trainer.shell, trainer.shared)
            with pytest.MonkeyPatch.context() as patch, pytest.raises(WriteError) as caught:
                if rank in (None, int(os.environ["RANK"])):
                    patch.setattr(place, name, fault)
                save_sharded(folder, saved, world)
            found.append(str(caught.value))
            assert name == "prune" or not folder.exists()
        save_sharded(folder, saved, world)
    return [*found, str(folder.exists())]


def test_a_disk_that_is_full_for_one_process_ends_all_with_the_same_error(tmp_path: Path) -> None:
    one, two = together(2, failing_saves, settings(tmp_path))
    full = f"{tmp_path / 'checkpoint'} cannot be written: No space left on device. Free some space"
    assert one == two and one[-1] == "True"
    assert [found.startswith(full) for found in one[:-1]] == [True, True, False, True, True, True]
    assert "is not what was written when it is read back" in one[2]


def damaged_parts(config: ToyConfig) -> Any:
    found = parts(config)
    found.batches = DamagedPart(config.seed, config.batch_size, config.length)
    return found


def failing_run(config: ToyConfig, log: bool) -> str:
    """What a run raises whose first process cannot write the log, or whose second finds a damaged record."""

    def full(self: RunLog, **line: Any) -> None:
        if line["step"] == 3:
            raise WriteError(errno.ENOSPC, os.strerror(errno.ENOSPC), "log.jsonl")

    with pytest.MonkeyPatch.context() as patch:
        if log:
            patch.setattr(RunLog, "write", full)
        with pytest.raises((DatasetError, OSError)) as caught:
            train_together(config, parts if log else damaged_parts)
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize(("log", "said", "step"), [(True, "WriteError: log.jsonl", 3), (False, "ExampleError: wo", 2)])
def test_what_goes_wrong_in_one_process_ends_all_with_a_checkpoint(
    tmp_path: Path, log: bool, said: str, step: int
) -> None:
    found = together(2, failing_run, settings(tmp_path, checkpoint_every=100, validate_every=100), log)
    assert found[0] == found[1] and found[0].startswith(said)
    assert json.loads((tmp_path / "checkpoint" / "training.json").read_text())["step"] == step


@pytest.mark.slow
def test_a_checkpoint_of_one_goes_on_with_two_and_that_of_two_with_four_as_two_copies(
    plain: Path, tmp_path: Path
) -> None:
    alone(settings(tmp_path, stop_after=1))
    assert together(2, train_together, settings(tmp_path, stop_after=1), parts) == [0, 0]
    copies = ParallelConfig(replicate=2)
    assert together(4, train_together, settings(tmp_path, parallel=copies), parts) == [0] * 4
    require_same(tmp_path, plain)


@pytest.mark.slow
def test_processes_that_share_layers_have_the_losses_of_one_and_their_checkpoint_goes_on_with_one(
    plain: Path, tmp_path: Path
) -> None:
    """Two that share layers, then two copies of two, then one; each goes on from the one before."""
    heads = ParallelConfig(tensor=2)
    assert together(2, train_together, settings(tmp_path, parallel=heads, stop_after=2), parts) == [0, 0]
    assert together(4, train_together, settings(tmp_path, parallel=heads, stop_after=1), parts) == [0] * 4
    alone(settings(tmp_path))
    require_same(tmp_path, plain)


@pytest.mark.slow
def test_adafactor_without_an_average_and_checkpoints_written_meanwhile(tmp_path: Path) -> None:
    """Rows and columns of second moments are means over the parts of all processes."""
    optimiser = OptimiserConfig(name="adafactor", learning_rate=0.5, weight_decay=0.05, warmup=2, ema=0.0)
    one, two = tmp_path / "one", tmp_path / "two"
    alone(settings(one, optimiser=optimiser))
    meanwhile = ParallelConfig(asynchronous=True)
    for stop in (3, 0):
        config = settings(two, optimiser=optimiser, parallel=meanwhile, checkpoint_every=1, keep=2, stop_after=stop)
        assert together(2, train_together, config, parts) == [0, 0]
    require_same(two, one)
    assert [path.name for path in (two / "checkpoints").iterdir()] == ["000003"]


def compiled_run(config: ToyConfig) -> int:
    """With torch's compiler in front, but no compiled kernels behind it, which take longer to make."""
    whole = torch.nn.Module.compile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Module, "compile", lambda model: whole(model, backend="eager"))
        return train_together(config, parts)


@pytest.mark.slow
def test_compiled_processes_have_the_losses_of_one(plain: Path, tmp_path: Path) -> None:
    assert together(2, compiled_run, settings(tmp_path, compile=True)) == [0, 0]
    require_same(tmp_path, plain)


@pytest.mark.slow
def test_accumulated_batches_are_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    alone(settings(one, accumulate=2))
    assert together(2, train_together, settings(two, accumulate=2, recompute=("decoder.layers.*",)), parts) == [0, 0]
    require_same(two, one)


def test_when_one_process_is_killed_the_others_end_with_an_error_and_the_run_goes_on(
    plain: Path, tmp_path: Path
) -> None:
    processes, results = started(2, train_together, settings(tmp_path, validate_every=100), slow_parts)
    deadline = time.monotonic() + 200
    while not (tmp_path / "checkpoint" / "training.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    processes[1].kill()
    rank, _, error = results.get(timeout=100)
    assert rank == 0 and error.startswith("TrainError: parallel: another process of the run ended")
    processes[0].join(60)
    assert processes[0].exitcode == 1
    alone(settings(tmp_path))
    require_same(tmp_path, plain)


def test_what_cannot_be_shared_out_is_named(tmp_path: Path) -> None:
    for change, message in (
        ({"precision": "float16"}, "precision: float16"),
        ({"parallel": ParallelConfig(tensor=2), "lora": LoraConfig(rank=2)}, "parallel.tensor: low-rank"),
        ({"parallel": ParallelConfig(tensor=2), "optimiser": OptimiserConfig(name="adafactor")}, "parallel.tensor"),
    ):
        with pytest.raises(TrainError, match=message):
            refuse_unshareable(settings(tmp_path, **change))
    config = settings(tmp_path)
    parts: Any = dataclasses.replace(build(config), objective=lambda model, batch: None)
    nobody: Any = None
    with pytest.raises(TrainError, match="parallel: function cannot add up the parts of a batch"):
        parallel_trainer(parts, config, nobody)


def test_a_world_that_cannot_be_divided_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "6")
    match = "6 processes cannot be divided into 4 copies"
    with pytest.raises(TrainError, match=match), joined_world(ParallelConfig(replicate=4), "cpu"):
        pass


def test_the_module_that_torchrun_starts_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "embodio.train.main", "experiment=pretrain_nano", f"out={tmp_path}", "sed=1"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2 and "sed" in found.stderr
