"""The spine: how many files of ours run while an agent acts, a batch is made and a step is trained."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from embodio.agent import Agent
from embodio.train.main import make_trainer
from tests.support.agent.lift_nano_frames import INSTRUCTIONS, drawn_observation
from tests.support.datasets.toy import write_toy_dataset
from tests.support.rooms import MAY_IMPORT, REPO
from tests.support.train.pretraining import pretraining_settings, write_pretraining_corpus
from tests.support.train.runs import settings

MOST_IN_ACT, MOST_IN_STEP, MOST_IN_BATCH = 25, 18, 25  # these may only go down
MOST_IN_PRETRAINING_STEP, MOST_IN_PRETRAINING_BATCH = 26, 35  # of text, pictures and sounds, in lines and tars, packed


def files_that_run(work: Callable[[], object]) -> list[str]:
    """The source files of the rooms with a function that is called, in any thread."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    threading.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    paths = {Path(name).resolve() for name in found if name.endswith(".py")}
    ours = {str(path.relative_to(REPO)) for path in paths if path.is_relative_to(REPO)}
    return sorted(path for path in ours if path.split("/")[0] in MAY_IMPORT)


def test_acting() -> None:
    agent = Agent.load("lift-nano")
    agent.reset(instruction=INSTRUCTIONS[0])
    for step in range(2):
        agent.act(drawn_observation(agent.embodiment, 0, step))
    third = drawn_observation(agent.embodiment, 0, 2)
    files = files_that_run(lambda: agent.act(third))
    assert "agent/agent.py" in files and 10 < len(files) <= MOST_IN_ACT, "\n".join(files)


def test_making_a_batch_and_training_a_step(tmp_path: Path) -> None:
    trainer = make_trainer(settings(write_toy_dataset(tmp_path / "toy", 6, 7), tmp_path / "run"))
    trainer.batches.make(0)
    files = files_that_run(lambda: trainer.batches.make(1))
    assert 10 < len(files) <= MOST_IN_BATCH, "\n".join(files)
    batch = trainer.batches[0]
    trainer.step(batch)
    files = files_that_run(lambda: trainer.step(batch))
    assert "train/loop.py" in files and 10 < len(files) <= MOST_IN_STEP, "\n".join(files)


def test_making_batches_and_training_a_step_of_pretraining(tmp_path: Path) -> None:
    trainer = make_trainer(pretraining_settings(write_pretraining_corpus(tmp_path / "corpus"), tmp_path / "run"))
    batch = trainer.batches[0]
    trainer.step(batch)
    files = files_that_run(lambda: [trainer.batches.make(number) for number in (1, 2, 3)])
    assert "datasets/stream/packing.py" in files and len(files) <= MOST_IN_PRETRAINING_BATCH, "\n".join(files)
    files = files_that_run(lambda: trainer.step(batch))
    assert "model/network/packing.py" in files and len(files) <= MOST_IN_PRETRAINING_STEP, "\n".join(files)
