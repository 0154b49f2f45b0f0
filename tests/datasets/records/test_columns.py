"""Columns: media that a row holds as numbers, and values that are not as they must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.datasets.errors import CorruptRecordError
from embodio.datasets.records.opening import open_records
from embodio.datasets.records.record import Record

RAMP = np.linspace(-0.5, 0.5, 1600).round(4).tolist()


def opened(tmp_path: Path, row: dict[str, Any]) -> Record:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return open_records(tmp_path / "rows.jsonl").record(0)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("sound", {"array": [[0.1, 0.2], [0.3]], "sampling_rate": 16000}),
        ("sound", {"array": ["a", "b"], "sampling_rate": 16000}),
        ("sound", {"array": {"a": 1}, "sampling_rate": 16000}),
        ("sound", {"array": RAMP, "sampling_rate": "fast"}),
        ("sound", {"array": RAMP, "sampling_rate": [16000]}),
        ("sound", {"array": RAMP, "sampling_rate": float("nan")}),
        ("sound", {"array": RAMP, "sampling_rate": float("inf")}),
        ("sound", {"array": RAMP}),
        ("sound", {"array": [], "sampling_rate": 16000}),
        ("sound", {"array": [float("nan")] * 400, "sampling_rate": 16000}),
        ("sound", {"array": [[[0.1]]], "sampling_rate": 16000}),
        ("image", {"array": [[0.5] * 9] * 9}),
        ("image", {"array": [[300] * 9] * 9}),
        ("image", {"array": [[1] * 9, [1]]}),
        ("video", {"array": [[1] * 9] * 9}),
        ("image", "a\0b.png"),
        ("image", "x" * 5000 + ".png"),
        ("image", "../../etc/passwd"),
        ("image", "nothing.png"),
    ],
)
def test_values_that_are_no_media_are_damaged_records(tmp_path: Path, part: str, value: Any) -> None:
    with pytest.raises(CorruptRecordError, match=r"at byte 0"):
        getattr(opened(tmp_path, {part: value}), part).load()


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_sound_of_several_channels_is_their_mean_whichever_axis_they_are_on(tmp_path: Path, channels: int) -> None:
    array = np.outer(np.array(RAMP), np.ones(channels))
    for numbers in (array, array.T):
        sound = opened(tmp_path, {"sound": {"array": numbers.tolist(), "sampling_rate": 16000}}).sound
        assert sound is not None
        np.testing.assert_allclose(sound.load(), RAMP, atol=1e-6)


def test_an_image_may_be_numbers(tmp_path: Path) -> None:
    image = opened(tmp_path, {"image": {"array": (np.arange(108).reshape(9, 12) % 256).tolist()}}).image
    assert image is not None and image.load().shape == (9, 12, 3)
