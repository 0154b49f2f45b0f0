"""Observers: told of everything in order, without effect on the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from embodio.datasets.errors import DamagedRecord, NothingToLearn
from embodio.model.writing import WriteError
from embodio.train.checkpoints.run import restore_run
from embodio.train.errors import Diverged
from embodio.train.log import read_log
from embodio.train.loop import Trainer
from embodio.train.main import trainer_of
from embodio.train.observers.log_and_bar import LogAndBar
from embodio.train.observers.observer import Observer, StepReport
from embodio.train.optimisers.config import OptimiserConfig
from tests.support.toy_experiment import ToyConfig, build
from tests.support.train.runs import same_files


def trainer(out: Path, **changes: Any) -> Trainer[Any]:
    small = {"steps": 4, "batch_size": 2, "workers": 0, "validate_every": 2, "checkpoint_every": 3, "log_every": 2}
    config = ToyConfig(out=str(out), optimiser=OptimiserConfig(warmup=2), dropout_rate=0.1, **small)
    torch.manual_seed(0)
    return trainer_of(build(config), dataclasses.replace(config, **changes))


class Notes(Observer):
    """Writes everything down, and draws random numbers in between."""

    def __init__(self) -> None:
        self.notes = list[str]()
        self.reports = list[StepReport]()

    def on_start(self, trainer: Trainer[Any]) -> None:
        self.notes.append(f"start {trainer.run.step}-{trainer.last_step}")

    def on_step(self, report: StepReport) -> None:
        torch.rand(7)
        self.reports.append(report)
        self.notes.append(f"step {report.step}")

    def on_validation(self, step: int, lines: Mapping[str, Mapping[str, float]]) -> None:
        self.notes.append(f"validation {step} {sorted(lines)}")

    def on_checkpoint(self, step: int, folder: Path) -> None:
        self.notes.append(f"checkpoint {step} {folder.name}")

    def on_end(self, step: int, *, failed: bool) -> None:
        self.notes.append(f"end {step} {failed}")


def test_it_is_told_of_everything_in_order_and_changes_nothing(tmp_path: Path) -> None:
    plain, watched, notes = trainer(tmp_path / "plain"), trainer(tmp_path / "watched"), Notes()
    watched.observers = [notes, *watched.observers]
    assert plain.train() and watched.train()
    assert same_files(tmp_path / "plain" / "checkpoint", tmp_path / "watched" / "checkpoint")
    assert notes.notes == [
        *("start 0-4", "step 1", "step 2", "validation 2 ['']", "step 3", "checkpoint 3 checkpoint"),
        *("step 4", "validation 4 ['']", "checkpoint 4 checkpoint", "end 4 False"),
    ]
    lines = [line for line in read_log(tmp_path / "watched" / "log.jsonl") if line["kind"] == "train"]
    means = [sum(report.loss.item() for report in notes.reports[start : start + 2]) / 2 for start in (0, 2)]
    assert [line["loss"] for line in lines] == pytest.approx(means)
    for report in notes.reports:
        assert {"batch", "forward", "backward", "update"} == set(report.seconds) and report.updated
        assert len(report.batches) == 1 and "inputs/text/tokens" in report.batches[0]
        assert report.norm > 0 and report.rate > 0 and min(report.seconds.values()) >= 0


def test_one_that_cannot_write_ends_the_run_with_a_checkpoint(tmp_path: Path) -> None:
    class Full(Notes):
        def on_step(self, report: StepReport) -> None:
            if report.step == 2:
                raise WriteError(28, "No space left on device", "sink")

    run, full = trainer(tmp_path), Full()
    run.observers = [full]
    with pytest.raises(WriteError, match="sink"):
        run.train()
    assert full.notes == ["start 0-4", "checkpoint 2 checkpoint", "end 2 True"]


def test_a_guard_can_leave_out_a_step_and_what_it_remembers_is_saved(tmp_path: Path) -> None:
    class Second:
        seen = 0

        def admits(self, step: int, batches: Any, outcome: Any, norm: float) -> bool:
            self.seen += 1
            return step != 1

        def state_dict(self) -> Mapping[str, Any]:
            return {"seen": self.seen}

        def load_state_dict(self, state: Mapping[str, Any]) -> None:
            self.seen = state["seen"]

    run = dataclasses.replace(trainer(tmp_path), guard=Second())
    run.step(run.batches.make(0)[0])
    before = {name: value.clone() for name, value in run.run.model.state_dict().items()}
    assert not run.step(run.batches.make(1)[0]).updated
    assert run.run.step == 2
    assert all(torch.equal(value, before[name]) for name, value in run.run.model.state_dict().items())
    run.observers = ()
    assert run.train()
    again = dataclasses.replace(trainer(tmp_path), guard=Second())
    assert restore_run(tmp_path / "checkpoint", again.run, again.config)
    assert again.judge.state_dict() == {"seen": 4}


@pytest.mark.parametrize(("precision", "steps"), [pytest.param("float16", 8, marks=pytest.mark.slow), ("bfloat16", 3)])
def test_lower_precision_learns_and_resumes_to_the_bit(tmp_path: Path, precision: str, steps: int) -> None:
    """In float16 the first steps overflow and lower the scale, which is part of the state."""
    changes: dict[str, Any] = {"precision": precision, "dropout_rate": 0.0}
    changes |= {"steps": steps, "checkpoint_every": steps, "validate_every": steps}
    whole, notes = trainer(tmp_path / "whole", **changes), Notes()
    if precision == "float16":
        whole._scaler._init_scale = 2.0**20
    whole.observers = [notes]
    assert whole.train()
    updated = [report.updated for report in notes.reports]
    assert updated[-1] and (not updated[0]) == (precision == "float16")
    run = trainer(tmp_path / "run", **changes, stop_after=steps // 2)
    run._scaler._init_scale = 2.0**20
    assert not run.train()
    again = trainer(tmp_path / "run", **changes)
    assert restore_run(tmp_path / "run" / "checkpoint", again.run, again.config)
    assert again.train()
    assert same_files(tmp_path / "whole" / "checkpoint", tmp_path / "run" / "checkpoint")


def test_in_float16_a_loss_that_no_scale_makes_finite_is_judged_by_the_guard(tmp_path: Path) -> None:
    run = trainer(tmp_path, precision="float16")
    with torch.no_grad():
        next(iter(run.run.model.parameters())).fill_(float("nan"))
    with pytest.raises(Diverged, match="loss nan"):
        run.step(run.batches.make(0)[0])


def test_what_was_wrong_with_a_step_is_logged_once(tmp_path: Path) -> None:
    """A step of float16 that overflows after one that the guard skipped has not the trouble of that one."""
    run, log = trainer(tmp_path), LogAndBar()
    log.on_start(run)
    run.judge.trouble = "step 0: bad"  # type: ignore[attr-defined]
    report = run.step(run.batches.make(0)[0])
    for step in (1, 2):
        log.on_step(dataclasses.replace(report, step=step, updated=False))
    log.on_end(2, failed=True)
    assert [line["step"] for line in read_log(tmp_path / "log.jsonl") if line["kind"] == "guard"] == [1]


def test_records_without_an_example_are_all_counted_and_the_first_hundred_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, log = trainer(tmp_path), LogAndBar()
    log.on_start(run)
    for draw in range(300):
        log.on_damage(1, NothingToLearn("words", draw % 150, -1, "it is empty"))
    log.on_damage(1, DamagedRecord("words", 7, -1, "not UTF-8"))
    log.on_step(dataclasses.replace(run.step(run.batches.make(0)[0]), step=2))
    log.on_end(2, failed=True)
    lines = read_log(tmp_path / "log.jsonl")
    kinds = [line["kind"] for line in lines]
    assert kinds.count("unusable") == 100 and kinds.count("damaged") == 1
    assert [line["unusable"] for line in lines if line["kind"] == "train"] == [300]
    assert "300 times a record without an example was replaced" in " ".join(capsys.readouterr().out.split())
