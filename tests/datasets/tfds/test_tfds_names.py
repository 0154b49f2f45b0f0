"""Names of tfds lead to what is prepared on this machine, and what only tfds reads is said; no TensorFlow needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.datasets.checks.through_rlds import check_through_rlds
from embodio.datasets.errors import DatasetError
from embodio.datasets.opening import open_source
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.tfds import process
from embodio.datasets.tfds.names import prepared_folder
from embodio.datasets.tfds.process import MissingExtra, run_program
from embodio.datasets.tfds.programs.compare import _compare
from tests.support.datasets.toy import write_toy_dataset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What tfds calls data_dir, with two versions of a data set and one of a configuration."""
    for version, episodes in (("1.0.0", 1), ("1.10.0", 3), ("1.9.0", 2)):
        write_toy_dataset(tmp_path / "toy" / version, episodes=episodes, steps=2)
    write_toy_dataset(tmp_path / "other" / "small" / "1.0.0", episodes=1, steps=2)
    return tmp_path


def test_names_open_what_is_prepared(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(open_source("tfds:toy", folder=root)) == 3
    assert len(open_source("tfds:toy:1.9.0", folder=root)) == 2
    assert len(open_source("tfds:other/small:1.0.0", folder=root)) == len(open_source("tfds:other", folder=root)) == 1
    assert len(open_source("tfds:toy", folder=root, split="train[:2]")) == 2
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    assert len(open_source("tfds:toy")) == 3
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(root / "home"))
    (root / "home").mkdir()
    (root / "home" / "tensorflow_datasets").symlink_to(root)
    assert len(open_source("tfds:toy")) == 3
    assert prepared_folder("tfds:toy:1.0.0", "gs://bucket/sets/") == "gs://bucket/sets/toy/1.0.0"


def test_a_description_may_name_one(root: Path) -> None:
    description = root / "mine.yaml"
    description.write_text(
        "name: mine\nkind: rlds\nfolder: tfds:toy:1.9.0\nobservation: {}\naction: [action]\n"
        "instruction: {keys: [language_instruction]}\n"
    )
    assert len(open_source(description, folder=root)) == 2


@pytest.mark.parametrize("name", ["tfds:", "tfds:../toy", "tfds:toy/..", "tfds:toy:new", "tfds:toy/a/b", "tfds:toy "])
def test_what_is_not_a_name(name: str, root: Path) -> None:
    with pytest.raises(DatasetError, match="not a name of tfds"):
        open_source(name, folder=root)


@given(st.text(st.characters(codec="utf-8")))
def test_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.getbasetemp()
    try:
        found = Path(prepared_folder(f"tfds:{text}", root))
    except DatasetError:
        return
    assert found.resolve().is_relative_to(root.resolve())


def test_nothing_is_downloaded(root: Path) -> None:
    with pytest.raises(DatasetError, match=r"toys is not there; did you mean toy\?\. Nothing is downloaded: prepare"):
        open_source("tfds:toys", folder=root)
    with pytest.raises(DatasetError, match="Nothing is downloaded"):
        open_source("tfds:toy:3.0.0", folder=root)


def test_a_format_of_tfds_alone_names_the_way_out(root: Path) -> None:
    path = root / "toy" / "1.10.0" / "dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fileFormat": "riegeli"}))
    with pytest.raises(DatasetError, match=r"not riegeli\. `embodio-data convert tfds:toy out=\.\.\.` has tfds make"):
        open_source("tfds:toy", folder=root)


def test_what_is_missing_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_NEEDED", ("json", "no_such_package"))
    with pytest.raises(MissingExtra, match=r"no_such_package: not installed.*pip install 'embodio\[tf\]'"):
        check_through_rlds(open_source("tfds:toy", folder=root))


def test_what_fails_in_the_process_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_NEEDED", ())
    with pytest.raises(DatasetError, match=r"data/x: tfds cannot read it: .*no_such_program"):
        run_program("no_such_program", {"folder": "data/x"})


def test_only_rlds_is_checked_with_rlds(root: Path) -> None:
    class Other:
        name = "other"

    with pytest.raises(DatasetError, match="other is not RLDS data; `embodio-data convert` makes"):
        check_through_rlds(Other())  # type: ignore[arg-type]


def test_other_values_are_differences(root: Path) -> None:
    episode = RLDSReader(root / "toy" / "1.0.0").episode(0)
    step = {
        "action": episode.array("action")[0],
        "language_instruction": episode.text("language_instruction", 0).encode(),
    }
    assert _compare(episode, {0: step}, 7) == []
    action = step["action"]
    for wrong in (action + np.float32(0.5), action.astype(np.float64), action[:-1], action[None]):
        assert _compare(episode, {0: step | {"action": wrong}}, 7) == ["episode 7, step 0: action"]
    assert _compare(episode, {0: step | {"language_instruction": b"x"}}, 7) == [
        "episode 7, step 0: language_instruction"
    ]
    assert _compare(episode, {0: step | {"new": 1}}, 7) == ["episode 7, step 0: new is not read here"]
