"""Progress without a terminal: a log file of a long run has few lines, each whole, and says when and how long."""

from __future__ import annotations

import re

import pytest

from embodio.datasets.errors import DamagedRecord, NothingToLearn
from embodio.train import progress
from embodio.train.progress import TrainProgress


def test_a_log_file_of_a_long_run_has_few_whole_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hours, seconds, steps = 100, 10, 36_000
    clock = iter(range(0, 10 * steps * seconds, seconds))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    with TrainProgress(0, steps) as shown:
        for step in range(20, steps, 20):
            for _ in range(19):
                next(clock)
            shown.update(step, {"loss": 1.0, "examples_per_second": 6.4, "seconds_per_step": float(seconds)})
    lines = capsys.readouterr().out.splitlines()
    assert 100 < len(lines) < 500 and not any("\r" in line for line in lines), f"{hours} hours"
    assert re.fullmatch(r"[\d-]+ [\d:]+  step 20/36000  loss 1.000  6 examples/s  99.9 h left", lines[0])
    assert lines[-1].endswith("min left")


def test_messages_are_not_wrapped_and_tell_damage_from_records_without_an_example(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = TrainProgress(0, 1)
    shown.left_out(DamagedRecord("openclipart", 3, -1, "x" * 200))
    shown.left_out(NothingToLearn("openclipart", 4, -1, "an image of 6 x 3 pixels, less than smallest_side=8"))
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("left out a damaged record: openclipart, record 3: xxx")
    assert second.startswith("left out a record that gives no example: openclipart, record 4: an image of 6 x 3")
