"""The files that run while a batch is made: a reader who follows an example through them meets no more than these."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from embodio.train.main import make_trainer
from tests.support.datasets.toy import write_toy_dataset
from tests.support.train.runs import settings

BUDGET = 26
REPO = Path(__file__).resolve().parents[2]


def test_making_a_batch_runs_through_few_files(tmp_path: Path) -> None:
    stream = make_trainer(settings(write_toy_dataset(tmp_path / "toy", 6, 7), tmp_path / "run")).batches
    stream.make(0)
    found: set[str] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            found.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        stream.make(1)
    finally:
        sys.setprofile(None)
    paths = {Path(name).resolve() for name in found if name.endswith(".py") and "site-packages" not in name}
    ours = sorted(str(path.relative_to(REPO)) for path in paths if path.is_relative_to(REPO) and path != Path(__file__))
    assert 10 < len(ours) <= BUDGET, "\n".join(ours)
