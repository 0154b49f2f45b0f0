"""`embodio-collect`: demonstrations with domain randomisation are the same when they are collected again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from embodio.datasets import RLDSReader
from embodio.envs.perturbing.wordings import wordings_of
from embodio.envs.pointnav.env import INSTRUCTION
from embodio.train.commands.collect import main

MAP = "pointnav/Empty-8x8"


def collect(folder: Path, *more: str) -> int:
    return main([f"env={MAP}", "episodes=2", "noise=[0]", "workers=1", f"out={folder}", *more])


def records(folder: Path) -> list[bytes]:
    reader = RLDSReader(folder)
    return [reader.record(index) for index in range(len(reader))]


def test_randomised_collections_are_equal_and_say_how_they_were_randomised(tmp_path: Path, capsys) -> None:
    for name in ("one", "again"):
        assert collect(tmp_path / name, "seed=3", "randomise=noise,wording") == 0
    assert records(tmp_path / "one") == records(tmp_path / "again")
    assert collect(tmp_path / "plain", "seed=3") == 0
    settings = json.loads((tmp_path / "one" / "collection.json").read_text())["settings"]
    assert settings["env_options"] == {"randomise": "noise:3+wording:3"} and settings["seed"] == 3

    randomised, plain = RLDSReader(tmp_path / "one"), RLDSReader(tmp_path / "plain")
    allowed = {INSTRUCTION, *(text for level in (1, 2) for text in wordings_of(INSTRUCTION, level, MAP))}
    said = [randomised.episode(number).instruction for number in range(2)]
    assert set(said) <= allowed and set(said) != {INSTRUCTION}
    differs = [
        not np.array_equal(*(source.episode(number).frame("observation/rgb", 0) for source in (randomised, plain)))
        for number in range(2)
    ]
    assert any(differs)
    for number in range(2):
        actions = (source.episode(number).array("action") for source in (randomised, plain))
        assert np.array_equal(*actions), "the expert does not look at pictures and words"

    capsys.readouterr()
    assert collect(tmp_path / "one", "seed=3", "randomise=noise:1") == 1
    assert "env_options" in capsys.readouterr().err


def test_what_cannot_be_randomised_is_said_before_anything_is_played(tmp_path: Path, capsys) -> None:
    assert collect(tmp_path / "none", "randomise=camera") == 1
    assert f"{MAP} cannot have camera" in capsys.readouterr().err and not (tmp_path / "none").exists()
    assert collect(tmp_path / "all", "randomise=all", "level=2") == 0
    told = capsys.readouterr().err
    assert "camera, colour, distractors, light, texture left out" in told and "delay, start left out" in told
    settings = json.loads((tmp_path / "all" / "collection.json").read_text())["settings"]
    assert settings["env_options"] == {"randomise": "blur:2+noise:2+wording:2"}
