"""Instructions in several wordings: found wherever they are, listed by inspect, and drawn for each example."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from embodio.datasets.conversion.inspect_source import propose
from embodio.datasets.episodes.features import EpisodeFeatures, SequenceFeature, TensorFeature, TextFeature
from embodio.datasets.episodes.fields import EpisodeFields
from embodio.datasets.episodes.statistics import compute_statistics
from embodio.datasets.errors import FeatureError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.datasets.tasks import named_task
from embodio.datasets.tasks.parts.scene import drawn_wording
from embodio.train.commands.data.data import main
from tests.support.datasets.hdf5_writers import robomimic
from tests.support.datasets.toy import toy_format, write_toy_dataset

SAID = ("open the drawer", "pull the drawer open", "open it, please")
TEXT = h5py.string_dtype()
PLACES = {
    "texts of each step": lambda group, length: group.create_dataset("obs/language", data=[SAID] * length, dtype=TEXT),
    "texts of the episode": lambda group, length: group.create_dataset("instructions", data=SAID, dtype=TEXT),
    "an attribute": lambda group, length: group.attrs.__setitem__("language", list(SAID)),
    "JSON": lambda group, length: group.attrs.__setitem__("ep_meta", json.dumps({"lang": SAID})),
    "numbered attributes": lambda group, length: group.attrs.update(
        {f"language_instruction{end}": text for end, text in zip(("", "_2", "_3"), SAID, strict=True)}
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_hdf5(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = robomimic(tmp_path / "x.hdf5", edit=lambda group, number, length: PLACES[place](group, length))
    described = tmp_path / "x.yaml"
    assert main(["inspect", str(path), f"out={described}"]) == 0
    assert " | ".join(map(repr, SAID)) in capsys.readouterr().out
    for source in (open_source(path), open_source(described)):
        assert source.episode(1).wordings(2) == SAID and source.episode(1).instruction == SAID[0]


def write_rlds(folder: Path, texts: list[tuple[str, str, str]]) -> Path:
    """As DROID: three fields of each step, of which some are empty; and any number of notes in the metadata."""
    names = ("language_instruction", "language_instruction_2", "language_instruction_3")
    steps = {"action": TensorFeature("float32", (2,)), **dict.fromkeys(names, TextFeature())}
    features = EpisodeFeatures(steps, {}, {"episode_metadata/commands": SequenceFeature(TextFeature())})
    with RLDSWriter(folder, "said", features) as writer:
        for three in texts:
            row = {"action": np.zeros(2, np.float32), **dict(zip(names, three, strict=True))}
            writer.add([row] * 2, {"episode_metadata/commands": [text for text in three if text]})
    return folder


def test_rlds_whose_first_episodes_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_rlds(tmp_path / "said", [("", "", ""), ("", "", ""), ("a", "", "c"), ("d", "e", "d")])
    described = tmp_path / "said.yaml"
    assert main(["inspect", str(folder), f"out={described}"]) == 0
    assert "'a' | 'c'" in capsys.readouterr().out
    assert "[language_instruction, language_instruction_2, language_instruction_3]" in described.read_text()
    source = open_source(described)
    assert [source.episode(number).wordings(0) for number in range(4)] == [("",), ("",), ("a", "c"), ("d", "e")]
    text = described.read_text()
    described.write_text(
        text[: text.index("\ninstruction:")]
        + "\ninstruction: {keys: [commands], text: go}\n"
        + text[text.index("filters:") :]
    )
    assert open_source(described).episode(2).wordings(0) == ("a", "c")
    assert open_source(described).episode(0).instruction == "go"
    described.write_text(described.read_text().replace("[commands]", "[comands]"))
    with pytest.raises(
        FeatureError, match="field 'comands' is not in the data, or is not text; texts are in episode_m"
    ):
        open_source(described)


def test_an_attribute_can_be_named(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group.attrs["what_to_do"] = f"do {number}"

    path = robomimic(tmp_path / "x.hdf5", edit=edit)
    text = propose(open_source(path), path)
    described = tmp_path / "x.yaml"
    for name in ("what_to_do", "episode_metadata/what_to_do"):
        described.write_text(
            text[: text.index("\ninstruction:")]
            + f"\ninstruction: {{keys: [{name}]}}\n"
            + text[text.index("filters:") :]
        )
        assert [open_source(described).episode(number).instruction for number in range(2)] == ["do 0", "do 1"]


def test_the_draw(tmp_path: Path) -> None:
    path = robomimic(tmp_path / "x.hdf5", edit=lambda group, number, length: PLACES["an attribute"](group, length))
    episode = open_source(path).episode(0)
    drawn = [drawn_wording(episode, 2, np.random.default_rng(seed)) for seed in range(300)]
    assert drawn == [drawn_wording(episode, 2, np.random.default_rng(seed)) for seed in range(300)]
    assert all(70 < count < 130 for count in Counter(drawn).values()) and set(drawn) == set(SAID)
    assert drawn_wording(episode, 2, None) == SAID[0]


def test_nothing_is_drawn_for_one_wording(tmp_path: Path) -> None:
    episode = open_source(robomimic(tmp_path / "x.hdf5")).episode(0)
    generator = np.random.default_rng(3)
    drawn_wording(episode, 0, generator)
    assert generator.random() == np.random.default_rng(3).random()


@pytest.mark.parametrize("task", ["next_action", "next_state", "instruction_from_video"])
def test_training_draws_one_of_the_wordings(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RLDSReader(write_toy_dataset(tmp_path / "toy", 1, 3))
    monkeypatch.setattr(EpisodeFields, "wordings", lambda self, step: SAID)
    made = named_task(task)(reader, toy_format(compute_statistics(reader)), range(1))

    def told(generator: np.random.Generator | None) -> str:
        example = made.example(0, generator)
        text = " ".join(str(part) for part in [*example.text, example.text_target])
        (said,) = [wording for wording in SAID if wording in text]
        return said

    drawn = [told(np.random.default_rng(seed)) for seed in range(40)]
    assert set(drawn) == set(SAID) and drawn == [told(np.random.default_rng(seed)) for seed in range(40)]
    assert told(None) == SAID[0]


def test_a_step_has_its_own_instruction_and_one_without_has_that_of_another(tmp_path: Path) -> None:
    def edit(group: Any, number: int, length: int) -> None:
        group.create_dataset("obs/language", data=["", "", "open it", "close it", "", "close it"][:length], dtype=TEXT)

    path = robomimic(tmp_path / "x.hdf5", (6, 6), edit)
    (tmp_path / "x.yaml").write_text(propose(open_source(path), path))
    assert "keys: [language_instruction" in (tmp_path / "x.yaml").read_text()
    episode = open_source(tmp_path / "x.yaml").episode(0)
    found = [drawn_wording(episode, step, None) for step in range(6)]
    assert found == ["close it", "close it", "open it", "close it", "close it", "close it"]
