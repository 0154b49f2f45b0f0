"""A run that was saved before a setting existed goes on if the setting has its default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodio.datasets.augment.config import AugmentConfig
from embodio.train.errors import ResumeError
from embodio.train.main import train
from tests.datasets.toy import write_toy_dataset
from tests.train.test_training import settings

OLD = ("shift", "brightness", "contrast", "colour")


def test_a_run_from_before_the_new_settings_goes_on(tmp_path: Path) -> None:
    data, out = write_toy_dataset(tmp_path / "toy", episodes=3, steps=4), tmp_path / "run"
    train(settings(data, out, stop_after=1))
    file = out / "checkpoint" / "training.json"
    state = json.loads(file.read_text())
    state["config"]["augment"] = {name: state["config"]["augment"][name] for name in OLD}
    del state["config"]["z_loss"]
    file.write_text(json.dumps(state))
    with pytest.raises(ResumeError, match=r"augment\.crop=0\.0, but augment\.crop=0\.1"):
        train(settings(data, out, augment=AugmentConfig(2, 0.1, 0.1, 0.1, crop=0.1)))
    with pytest.raises(ResumeError, match=r"z_loss=0\.0001, but z_loss=0\.1"):
        train(settings(data, out, z_loss=0.1))
    train(settings(data, out, stop_after=1))
    again = json.loads(file.read_text())
    assert again["step"] == 2 and again["config"]["augment"]["crop"] == 0.0
