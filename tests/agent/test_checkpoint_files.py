"""The files of a checkpoint: each is the one that was saved, or an error names it; older folders load with a word."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, load_checkpoint, save_checkpoint, shipped_checkpoints
from embodio.agent.checkpoint import FILES, STATISTICS, WEIGHTS
from embodio.agent.errors import CheckpointError
from embodio.model.weights.checksums import SUMS_FILE, read_sums
from tests.support.agent.policies import make_checkpoint, make_format


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_checkpoint(make_format())
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "toy", made.model, made.format)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "copy")


def test_what_ships_has_checksums_that_hold() -> None:
    for folder in shipped_checkpoints().values():
        files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert set(read_sums(folder) or {}) == files - {SUMS_FILE}
        assert subprocess.run(["sha256sum", "-c", "--quiet", SUMS_FILE], cwd=folder, check=False).returncode == 0


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_file_is_named(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 4
    (folder / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"{name}.*sha256sum \* > SHA256SUMS"):
        Agent.load(folder)


def scaled(statistics: dict[str, Any]) -> None:
    for field in statistics["fields"].values():
        for kind in ("min", "max", "mean", "std", "q01", "q99"):
            field[kind] = [2 * value for value in field[kind]]


def zeroed(statistics: dict[str, Any]) -> None:
    for field in statistics["fields"].values():
        for kind in ("min", "max", "mean", "std", "q01", "q99"):
            field[kind] = [0.0 for _ in field[kind]]


def reversed_(statistics: dict[str, Any]) -> None:
    for field in statistics["fields"].values():
        for kind in ("min", "max", "mean", "std", "q01", "q99"):
            field[kind] = field[kind][::-1]


def respaced(statistics: dict[str, Any]) -> None:
    """The same values, written in another way."""


@pytest.mark.parametrize("change", [scaled, zeroed, reversed_, respaced])
def test_edited_statistics_are_refused(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    statistics = json.loads((folder / STATISTICS).read_text())
    change(statistics)
    (folder / STATISTICS).write_text(json.dumps(statistics))
    with pytest.raises(CheckpointError, match=r"statistics\.json is damaged or not the file"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_checkpoint_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    made = make_checkpoint(make_format(chunk=7, prompt="{instruction}"), seed=1)
    other = save_checkpoint(tmp_path / "other", made.model, made.format)
    if (other / name).read_bytes() == (folder / name).read_bytes():
        load_checkpoint(folder)
        return
    shutil.copy(other / name, folder / name)
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(folder)
    shutil.copy(other / SUMS_FILE, folder / SUMS_FILE)
    with pytest.raises(CheckpointError, match="damaged or not the file"):
        load_checkpoint(folder)


def test_a_file_that_the_checksums_do_not_mention_is_refused(folder: Path) -> None:
    lines = (folder / SUMS_FILE).read_text().splitlines()
    (folder / SUMS_FILE).write_text("\n".join(line for line in lines if STATISTICS not in line) + "\n")
    with pytest.raises(CheckpointError, match=r"statistics\.json does not belong to this checkpoint"):
        load_checkpoint(folder)


def test_notes_may_lie_in_a_checkpoint(folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    load_checkpoint(folder)


def test_a_folder_without_checksums_loads_with_a_warning(folder: Path) -> None:
    with_sums = load_checkpoint(folder)
    (folder / SUMS_FILE).unlink()
    with pytest.warns(UserWarning, match="has no SHA256SUMS"):
        loaded = load_checkpoint(folder)
    assert loaded.sha256 == {}
    assert loaded.hashes() == with_sums.hashes()
    subprocess.run(f"sha256sum * > {SUMS_FILE}", cwd=folder, shell=True, check=True)
    assert load_checkpoint(folder).sha256 == with_sums.sha256


def test_hashes_are_those_of_what_was_loaded(folder: Path) -> None:
    loaded = load_checkpoint(folder)
    before = loaded.hashes()
    (folder / WEIGHTS).write_bytes(b"later")
    assert loaded.hashes() == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("policy.json", b"{}"),
        ("policy.json", b"[" * 100_000),
        ("embodiment.json", b'{"name": 3}'),
        ("statistics.json", b'{"source": "", "fields": 3}'),
        ("statistics.json", b"\xff"),
        ("vocabulary.model", b"nothing"),
    ],
)
def test_without_checksums_what_is_malformed_still_has_a_name(folder: Path, name: str, content: bytes) -> None:
    (folder / SUMS_FILE).unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"{name}.*fetch or save the checkpoint again"):
        load_checkpoint(folder)


def test_another_save_replaces_the_checksums(folder: Path) -> None:
    made = make_checkpoint(make_format(), seed=5)
    save_checkpoint(folder, made.model, made.format)
    np.testing.assert_array_equal(
        load_checkpoint(folder).model.text_embedding.weight.detach().numpy(),
        made.model.text_embedding.weight.detach().numpy(),
    )


@pytest.mark.parametrize("change", [{"chunk": 10**9}, {"history_frames": 1, "history_stride": 10**9}])
def test_without_checksums_a_policy_of_a_giant_fails_at_once(folder: Path, change: dict[str, int]) -> None:
    (folder / SUMS_FILE).unlink()
    policy = json.loads((folder / "policy.json").read_text()) | change
    (folder / "policy.json").write_text(json.dumps(policy))
    with pytest.raises(CheckpointError, match=r"policy\.json: .*10000"):
        load_checkpoint(folder)
