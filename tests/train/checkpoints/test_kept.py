"""Older checkpoints: kept by a policy, and fallen back to where the newest is damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from embodio.train.checkpoints.kept import DAMAGED, fall_back, older_checkpoints, prune, settle
from embodio.train.checkpoints.run import restore_run
from embodio.train.errors import ResumeError
from embodio.train.loop import Trainer
from embodio.train.main import trainer_of
from embodio.train.optimisers.config import OptimiserConfig
from tests.support.toy_experiment import ToyConfig, build
from tests.support.train.runs import same_files


def trainer(out: Path, **changes: Any) -> Trainer[Any]:
    usual = {"steps": 6, "batch_size": 2, "workers": 0, "validate_every": 6, "checkpoint_every": 1, "keep": 3}
    config = ToyConfig(out=str(out), optimiser=OptimiserConfig(warmup=0), **(usual | changes))
    torch.manual_seed(0)
    return trainer_of(build(config), config)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    assert trainer(out).train()
    return out


def step_of(folder: Path) -> int:
    return int(json.loads((folder / "training.json").read_text())["step"])


def damage(folder: Path, name: str = "training.safetensors") -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)


@pytest.mark.parametrize(("keep", "every", "stay"), [(1, 0, []), (2, 0, [5]), (1, 2, [4, 2]), (2, 3, [5, 3])])
def test_the_newest_ones_stay_and_those_of_round_steps(tmp_path: Path, keep: int, every: int, stay: list[int]) -> None:
    assert trainer(tmp_path, keep=keep, keep_every=every).train()
    assert list(older_checkpoints(tmp_path)) == stay and step_of(tmp_path / "checkpoint") == 6
    assert all(step_of(folder) == step for step, folder in older_checkpoints(tmp_path).items())
    assert not list(tmp_path.rglob(".*")), "nothing half written is left"


def test_those_of_a_run_that_went_back_are_removed(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8):
        (tmp_path / "checkpoints" / f"{step:06d}").mkdir(parents=True)
    prune(tmp_path, 5, keep=2, keep_every=2)
    assert list(older_checkpoints(tmp_path)) == [4, 2]


@pytest.mark.parametrize("name", ["training.safetensors", "training.json", "model.safetensors", "SHA256SUMS"])
def test_a_damaged_newest_one_falls_back_and_says_so(finished: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    assert fall_back(out) == ("", True)
    damage(out / "checkpoint", name)
    said = fall_back(out).said
    assert said.startswith(f"{out / 'checkpoint'} is damaged: ") and name in said
    assert f"It is {out / DAMAGED} now" in said and said.endswith("the checkpoint before it, of step 5.")
    assert step_of(out / "checkpoint") == 5 and list(older_checkpoints(out)) == [4]
    again = trainer(out)
    assert restore_run(out / "checkpoint", again.run, again.config) and again.run.step == 5
    assert again.train()
    assert same_files(finished / "checkpoint", out / "checkpoint")
    assert list(older_checkpoints(out)) == [5, 4]


def test_several_damaged_ones_are_passed_over_and_a_missing_file_counts(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "checkpoint" / "vocabulary.model").unlink()
    damage(out / "checkpoints" / "000005")
    assert "of step 4" in fall_back(out).said and step_of(out / "checkpoint") == 4
    damage(out / "checkpoint")
    assert fall_back(out) == ("", False), "none is sound, so nothing is moved"
    assert step_of(out / "checkpoint") == 4


def test_a_process_killed_between_any_two_renames_loses_nothing(finished: Path, tmp_path: Path) -> None:
    def fresh(name: str) -> Path:
        shutil.copytree(finished, tmp_path / name)
        return tmp_path / name

    out = fresh("the old one is put aside, the new one not there yet")
    (out / "checkpoint").rename(out / ".checkpoint.old")
    assert step_of(settle(out)) == 6
    out = fresh("the new one is there, the old one not yet among the older ones")
    (out / "checkpoints" / "000005").rename(out / ".checkpoint.old")
    settle(out)
    assert list(older_checkpoints(out)) == [5, 4] and not list(out.glob(".*"))
    out = fresh("an older one is being removed")
    (out / "checkpoints" / "000004").rename(out / "checkpoints" / ".000004.gone")
    settle(out)
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["000005"]
    out = fresh("older ones are not yet pruned")
    shutil.copytree(out / "checkpoints" / "000004", out / "checkpoints" / "000003")
    again = trainer(out)
    restore_run(out / "checkpoint", again.run, again.config)
    assert list(older_checkpoints(out)) == [5, 4]
    out = fresh("a damaged one is put aside, and nothing in its place yet")
    (out / "checkpoint").rename(out / DAMAGED)
    assert "is not there" in fall_back(out).said and step_of(out / "checkpoint") == 5


def test_a_run_whose_state_is_gone_does_not_begin_again_unasked(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "none is sound, and the newest is not there"
    shutil.copytree(finished, out)
    shutil.rmtree(out / "checkpoint")
    for folder in older_checkpoints(out).values():
        damage(folder)
    with pytest.raises(ResumeError, match=r"none of the older checkpoints is sound: .*000005 is damaged"):
        fall_back(out)
    out = tmp_path / "the newest has no state, and there is no other"
    shutil.copytree(finished, out)
    shutil.rmtree(out / "checkpoints")
    (out / "checkpoint" / "training.json").unlink()
    again = trainer(out)
    with pytest.raises(ResumeError, match=r"training.json is damaged: it is not there"):
        restore_run(out / "checkpoint", again.run, again.config)
