"""`embodio-data` on a small data set."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from embodio.datasets.checks.finding import Finding
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.reader import RLDSReader
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.train.commands.data import verify as data_verify
from embodio.train.commands.data.data import main
from embodio.train.commands.data.visualise import token_table
from tests.support.agent.policies import make_format
from tests.support.datasets.toy import write_toy_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_toy_dataset(tmp_path / "toy", episodes=2, steps=3)


def test_the_proposed_description_opens_the_same_data(folder: Path, tmp_path: Path) -> None:
    proposal = tmp_path / "toy.yaml"
    assert main(["inspect", f"source={folder}", f"out={proposal}"]) == 0
    source, plain = open_source(proposal), RLDSReader(folder)
    assert source.embodiment == plain.embodiment
    for index in range(2):
        described, episode = source.episode(index), plain.episode(index)
        assert np.array_equal(described.array("action"), episode.array("action"))
        assert np.array_equal(described.array("state"), episode.array("state"))
        assert np.array_equal(described.frame("hand", 2), episode.frame("hand", 2))
        assert described.instruction == episode.instruction == "lift the cube"
    assert main(["inspect", f"source={proposal}"]) == 0


def test_statistics(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "stats.json"
    assert main(["stats", f"source={folder}", "fields=[action,state]", f"out={out}"]) == 0
    found = DatasetStatistics.from_dict(json.loads(out.read_text()))
    values = np.concatenate([episode.array("action") for episode in RLDSReader(folder)])
    assert found.field("action").names == ("x", "turn", "gripper")
    assert np.allclose(found.field("action").mean, values.mean(axis=0))
    assert found.field("state").count == 6
    assert "gripper" in capsys.readouterr().out


def test_convert(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    assert main(["convert", f"source={folder}", f"out={out}", "name=copy"]) == 0
    assert np.array_equal(RLDSReader(out).episode(1).frame("hand", 1), RLDSReader(folder).episode(1).frame("hand", 1))
    assert RLDSReader(out).embodiment == RLDSReader(folder).embodiment
    assert main(["convert", f"source={folder}", f"out={out}", "name=copy"]) == 1


def test_visualise(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert main(["visualise", f"source={folder}", f"out={out}"]) == 0
    page = out.read_text(encoding="utf-8")
    assert "Episode 0, 3 steps" in page
    assert "Episode 1, 3 steps" in page
    assert main(["visualise", f"source={folder}", f"out={out}", "episodes=[2]"]) == 1
    assert main(["visualise", f"source={folder}", f"out={out}", "count=0"]) != 0
    assert main(["visualise", f"source={folder}", f"out={out}", "checkpoint=lift-nano"]) == 1
    (folder / "embodiment.json").unlink()
    assert main(["visualise", f"source={folder}", f"out={out}", "episodes=[1]"]) == 0
    assert "Tokens need a described robot" in out.read_text(encoding="utf-8")


def test_the_tokens_of_the_page_are_those_of_the_policy(folder: Path) -> None:
    episode = RLDSReader(folder).episode(1)
    policy = make_format(state_range="limits", chunk=1)
    table = token_table(policy, episode, "")
    assert len(table.rows) == len(episode)
    for row, action, state in zip(table.rows, episode.array("action"), episode.array("state"), strict=True):
        moment = {"state": state, "front": episode.frame("front", 0), "hand": episode.frame("hand", 0)}
        example = policy.example([moment], episode.instruction, action[None])
        assert int(row[2]) == len(policy.vocabulary.encode(example.text))
        bins = [int(value) for value in re.findall(r"<(\d+)>", row[3])]
        assert [policy.vocabulary.value_id(value) for value in bins] == example.text_target
        shown = [int(value) for value in re.findall(r"<(\d+)>", row[1])]
        assert [policy.vocabulary.value_id(value) for value in shown] == example.text[-2:]
        assert episode.instruction in row[1]


def test_the_tokens_of_a_policy_with_earlier_actions(folder: Path) -> None:
    source = RLDSReader(folder)
    policy = make_format(state_range="limits", chunk=1, prompt="{instruction} {previous_actions}", previous_actions=1)
    table = token_table(policy, source.episode(0), "")
    assert [row[1].count("<") for row in table.rows[:3]] == [0, 3, 3] and table.rows[1][1].endswith(
        table.rows[0][3].replace(" ", "")
    )


def test_verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"source={folder}", "episodes=1"]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("clipping", "bin use", "gripper sign", "3 steps"))
    assert main(["verify", f"source={folder}", "bins=1"]) != 0


def test_what_verify_compares_with(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"source={folder}", "with=rdls"]) == 2
    assert "with=rdls: only with=rlds is there" in capsys.readouterr().err
    assert main(["verify", "--help"]) == 0
    assert re.search(r"^ +with +str or null", capsys.readouterr().out, re.MULTILINE)


def test_a_strict_verify_fails_on_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = Finding("bin use", "warning", "[red]1 of 201", "do something")
    monkeypatch.setattr(data_verify, "verify", lambda *args, **kwargs: [warning])
    assert main(["verify", f"source={folder}"]) == 0
    assert main(["verify", f"source={folder}", "strict=true"]) == 1


def test_mistakes(folder: Path) -> None:
    assert main([]) == 2
    assert main(["stats", f"source={folder}", "fields=[speed]"]) == 1
    assert main(["inspect", "source=nowhere"]) == 1
    assert main(["--help"]) == 0


def test_places_that_cannot_be_written_are_said_before_the_work(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for verb in ("inspect", "stats", "visualise"):
        assert main([verb, str(folder), f"out={tmp_path}"]) == 2
        assert "is a folder" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    for verb in ("inspect", "stats", "visualise", "convert"):
        assert main([verb, str(folder), f"out={tmp_path / 'file' / 'below'}"]) == 2
        assert "cannot be written" in capsys.readouterr().err
    assert main(["stats", str(folder), f"out={tmp_path / 'new' / 'stats.json'}"]) == 0


def test_the_overview_and_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    page = capsys.readouterr().out
    assert all(f"embodio-data {verb}" in page for verb in ("inspect", "stats", "convert", "visualise", "verify"))
    assert "droid" in page
    assert main(["look"]) == 2 and "there is no 'look'" in capsys.readouterr().err
    assert main(["inspect", "drod"]) == 1 and "did you mean droid?" in capsys.readouterr().err


def test_a_robot_that_is_not_described_is_told_of(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "embodiment.json").unlink()
    assert main(["verify", str(folder)]) == 0
    assert f"embodio-data inspect {folder}" in capsys.readouterr().out.replace("\n", "")
    described = tmp_path / "toy.yaml"
    assert main(["inspect", str(folder), f"out={described}"]) == 0
    capsys.readouterr()
    assert main(["verify", str(described)]) == 0
    assert "embodio-data inspect" not in capsys.readouterr().out
    assert main(["inspect", str(described)]) == 0
    assert "gripper closed_is_high" in capsys.readouterr().out
