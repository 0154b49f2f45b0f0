"""Instruction tuning end to end on drawn tasks: it resumes to the bit, and says what it trains on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from embodio.datasets.errors import NoSuchFiles
from embodio.train.command_line.cli import compose
from embodio.train.command_line.schema import UsageError
from embodio.train.experiments.instruct.config import InstructConfig
from embodio.train.log import read_log
from embodio.train.main import CONFIGS, build_parts, train
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.run_config import PackingConfig
from tests.support.datasets.instruction_tasks import write_instruction_tasks
from tests.support.train.runs import same_files


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_instruction_tasks(tmp_path_factory.mktemp("tasks"))


def settings(rows: Path, out: Path, **changes: Any) -> InstructConfig:
    config = InstructConfig(
        out=str(out),
        data=str(rows.parent / "data"),
        catalogue=str(rows),
        targets=("text",),
        patches=0.875,
        packing=PackingConfig(enabled=True, encoder=400, decoder=128),
        steps=4,
        batch_size=6,
        holdout=2,
        samples=2,
        threads=1,
        workers=0,
        log_every=1,
        validate_every=4,
        checkpoint_every=2,
        optimiser=OptimiserConfig(warmup=2),
    )
    return dataclasses.replace(config, **changes)


def test_it_learns_the_tasks_that_are_there_and_resumes_to_the_bit(rows: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(settings(rows, whole)) == 0
    assert train(settings(rows, cut, stop_after=1)) == 0
    assert train(settings(rows, cut)) == 0
    assert same_files(whole / "checkpoint", cut / "checkpoint")
    measured = {line.get("task", "") for line in read_log(whole / "log.jsonl") if line["kind"] == "validation"}
    assert measured == {"", "questions", "sentences"}


def test_rates_and_what_is_left_out_are_said(rows: Path, tmp_path: Path) -> None:
    notes = "\n".join(str(note) for note in build_parts(settings(rows, tmp_path)).notes)
    assert "40.00% sentences: 1998 items" in notes and "by category: pictures 60.00%, words 40.00%" in notes
    assert "left out: 1 tasks, " in notes and "lost (" in notes and "references is not measured" in notes
    with pytest.raises(NoSuchFiles, match="lost: "):
        build_parts(settings(rows, tmp_path, missing="error"))


def test_mistakes_are_named(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="data: give the folder of all data"):
        settings(rows, tmp_path, data="")
    with pytest.raises(UsageError, match=r"kinds\.chat: unknown; there are prompted"):
        settings(rows, tmp_path, kinds={"chat": 1.0})
    with pytest.raises(UsageError, match="kinds: got"):
        settings(rows, tmp_path, kinds={"prompted": 0.0})
    with pytest.raises(UsageError, match="missing: got 'perhaps'"):
        settings(rows, tmp_path, missing="perhaps")


def test_the_recipe_of_the_paper_composes() -> None:
    media = ["image_tokenizer=i", "audio_tokenizer=a"]
    config = compose(InstructConfig, ["experiment=instruct_paper", "data=d", "out=o", *media], config_dir=CONFIGS)
    assert (config.batch_size, config.packing.encoder, config.patches, config.missing) == (256, 1024, 0.875, "skip")
    assert config.kinds == {"prompted": 60, "pretraining": 30, "augmentation": 6, "free_form": 4}
