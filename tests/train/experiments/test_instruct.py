"""Instruction tuning end to end on drawn tasks: it resumes to the bit, and says what it trains on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from embodio.agent import Agent, PolicyConfig
from embodio.datasets.augment.config import AugmentConfig
from embodio.datasets.catalogue.rows import catalogue_folder, read_catalogue
from embodio.datasets.errors import DatasetError, NoSuchFiles
from embodio.datasets.objectives.objective import ObjectiveContext
from embodio.datasets.opening import open_source
from embodio.datasets.stream.order import generator_at
from embodio.datasets.tasks.parts.record_task import RecordTask
from embodio.model import ModelConfig, Vocabulary
from embodio.train.command_line.cli import compose
from embodio.train.command_line.schema import UsageError
from embodio.train.experiments.instruct.config import InstructConfig
from embodio.train.experiments.instruct.parts import gather_tasks
from embodio.train.experiments.pretrain.data import StageData
from embodio.train.log import read_log
from embodio.train.main import CONFIGS, build_parts, train
from embodio.train.optimisers.config import OptimiserConfig
from embodio.train.run_config import PackingConfig
from tests.support.datasets.instruction_tasks import ROW, write_instruction_tasks
from tests.support.datasets.tiny_corpus import LIFT, write_tiny_corpus
from tests.support.datasets.toy import write_toy_dataset
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
    assert config.freeze == {"towers.*": 0.9}


def robot_rows(folder: Path) -> Path:
    """Episodes of a made-up robot, spoken commands and rows of robot tasks; returns the folder of rows."""
    data = write_tiny_corpus(folder / "data")
    for split, episodes in (("train", 4), ("validation", 2)):
        write_toy_dataset(data / "lift" / split, episodes, 5, instruction=LIFT)
    rows = folder / "rows"
    rows.mkdir()
    shared = ROW | {"format": "episodes", "prompts": "plain", "size": None}
    shared |= {"path": "lift/train", "validation": "lift/validation"}
    spoken = {"settings": {"spoken": "commands"}}
    tasks = {
        "told": shared | {"family": "next_action"},
        "told_aloud": shared | {"family": "next_action"} | spoken,
        "judged": shared | {"family": "judge_action"},
    }
    head = {"title": "robots", "group": "robots", "share": 100, "inputs": ["text"], "outputs": ["text"]}
    (rows / "robots.yaml").write_text(yaml.safe_dump(head | {"tasks": tasks}))
    return rows


def test_robots_told_in_words_and_aloud_become_an_agent(tmp_path: Path) -> None:
    rows = robot_rows(tmp_path)
    policy = PolicyConfig(cameras=("front", "hand"), chunk=2, prompt_sounds=1)
    changes = {"packing": PackingConfig(), "policy": policy, "steps": 2}
    augment = AugmentConfig(shift=2, wordings=0.5)
    assert train(settings(rows, tmp_path / "out", augment=augment, **changes)) == 0
    measured = {
        line.get("task", "") for line in read_log(tmp_path / "out" / "log.jsonl") if line["kind"] == "validation"
    }
    assert measured == {"", "told", "told_aloud", "judged"}
    agent = Agent.load(tmp_path / "out" / "checkpoint")
    episode = open_source(rows.parent / "data" / "lift" / "validation").episode(0)
    seen = {name: episode.frame(name, 0) for name in ("front", "hand")} | {"state": episode.array("state")[0]}
    for instruction in (LIFT, (np.zeros(8000, np.float32), 16000)):
        agent.reset(instruction)
        assert agent.act(seen).shape == (3,)
    silent = dataclasses.replace(policy, prompt_sounds=0)
    with pytest.raises(DatasetError, match=r"spoken: the policy reads no sounds; set policy\.prompt_sounds=1"):
        build_parts(settings(rows, tmp_path / "silent", **changes | {"policy": silent}))


def test_sounds_of_transcripts_and_spoken_instructions_change_their_speed_in_training_only(tmp_path: Path) -> None:
    rows = robot_rows(tmp_path)
    row = ROW | {"family": "transcribe", "prompts": "sound", "format": "corpus", "size": None}
    row |= {"path": "commands/train", "validation": "commands/validation"}
    head = {"title": "heard", "group": "heard", "inputs": ["text", "audio"], "outputs": ["text"]}
    (rows / "robots.yaml").write_text((rows / "robots.yaml").read_text().replace("share: 100", "share: 50"))
    (rows / "heard.yaml").write_text(yaml.safe_dump(head | {"share": 50, "tasks": {"transcripts": row}}))
    context = ObjectiveContext(ModelConfig.named("nano"), Vocabulary.default())

    def opened(speed: float) -> StageData:
        policy = PolicyConfig(cameras=("front", "hand"), chunk=2, prompt_sounds=1)
        augment = AugmentConfig(sound_speed=speed)
        return gather_tasks(settings(rows, tmp_path, policy=policy, augment=augment), context, context)

    def lengths(task: RecordTask, drawn: bool) -> list[int]:
        generators = [generator_at(0, position) if drawn else None for position in range(20)]
        return [len(np.asarray(task.example(0, generator).audio)) for generator in generators]

    changed, plain = opened(0.25), opened(0.0)
    for name in ("transcripts", "told_aloud"):
        task = next(entry.task for entry in changed.training.entries if entry.name == name)
        usual = next(entry.task for entry in plain.training.entries if entry.name == name)
        found = lengths(task, drawn=True)
        assert found == lengths(task, drawn=True) and len(set(found)) > 8
        assert min(found) >= 8000 / 1.25 and max(found) <= 8000 * 1.25
        for still, drawn in ((usual, True), (task, False), (changed.held_out[name], False)):
            assert set(lengths(still, drawn)) == {8000}
        one, other = task.example(0, generator_at(0, 1)), usual.example(0, generator_at(0, 1))
        assert (one.text, one.text_target) == (other.text, other.text_target)


def test_the_recipe_of_the_small_generalist_composes() -> None:
    config = compose(InstructConfig, ["experiment=instruct_nano", "data=d", "out=o"], config_dir=CONFIGS)
    assert (config.catalogue, config.policy.prompt_sounds, config.augment.shift) == ("nano", 1, 4)
    assert config.augment.sound_speed == 0.15
    rows = {row.name: row for category in read_catalogue(catalogue_folder("nano")) for row in category.rows}
    assert sum(category.share for category in read_catalogue(catalogue_folder("nano"))) == pytest.approx(100)
    assert all(row.opens and row.validation for row in rows.values())
    assert {"lift_told", "lift_told_aloud", "scene_questions", "speech_transcripts"} <= set(rows)
