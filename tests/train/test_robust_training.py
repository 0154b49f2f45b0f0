"""Training in a hostile place: signals to the group, kills at any moment, damage, a second process, a full disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file

from embodio.datasets.episodes.features import features_of
from embodio.datasets.files.folder_lock import sole_user
from embodio.datasets.rlds.reader import RLDSReader
from embodio.datasets.rlds.writer import RLDSWriter
from embodio.model.weights.checksums import SUMS_FILE
from embodio.train.errors import ResumeError, TrainError
from embodio.train.log import read_log
from embodio.train.main import main, train
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import metadata_of, toy_rows, write_toy_dataset
from tests.support.limits import small_files
from tests.support.train.runs import COMMAND, same_files, settings, start_training
from tests.support.train.slow_stream import LAST

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=6, steps=7)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert train(settings(data, out)) == 0
    return out


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, "the process ended"
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "code", "workers"),
    [(signal.SIGTERM, 143, 2), pytest.param(signal.SIGINT, 130, 0, marks=pytest.mark.slow)],
)
def test_a_signal_to_the_group_while_training_waits_for_a_batch_loses_no_step(
    data: Path, finished: Path, tmp_path: Path, number: signal.Signals, code: int, workers: int
) -> None:
    out = tmp_path / "run"
    slow = "import sys; from embodio.train import main; from embodio.train.experiments.policy import parts; "
    slow += (
        "from tests.support.train.slow_stream import SlowStream; parts.BatchStream = SlowStream; sys.exit(main.main())"
    )
    command = [sys.executable, "-c", slow, *COMMAND[2:], f"data={data}", f"out={out}", f"workers={workers}"]
    process = subprocess.Popen(command, cwd=REPO, start_new_session=True)
    try:
        wait_for(lambda: LAST in [line["step"] for line in read_log(out / "log.jsonl")], process)
        os.killpg(process.pid, number)
        assert process.wait(timeout=120) == code
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert json.loads((out / "checkpoint" / "training.json").read_text())["step"] == LAST
    train(settings(data, out))
    assert same_files(finished / "checkpoint", out / "checkpoint")


@pytest.mark.slow
def test_killed_at_random_moments_with_a_checkpoint_every_step(data: Path, finished: Path, tmp_path: Path) -> None:
    out, random = tmp_path / "run", np.random.default_rng()
    for _ in range(25):
        process = start_training(data, out, "workers=0", "checkpoint_every=1")
        before = os.stat(out / "checkpoint").st_mtime_ns if (out / "checkpoint").exists() else 0
        end = time.monotonic() + random.uniform(2, 12)
        while process.poll() is None and time.monotonic() < end:
            now = (out / "checkpoint").stat().st_mtime_ns if (out / "checkpoint").exists() else before
            if now != before and random.random() < 0.5:
                break
            time.sleep(random.uniform(0, 0.02))
        process.kill()
        process.wait(timeout=600)
    assert start_training(data, out, "workers=0").wait(timeout=300) == 0
    assert same_files(finished / "checkpoint", out / "checkpoint")
    assert sorted(path.name for path in out.iterdir()) == [
        "checkpoint",
        "checkpoints",
        "log.jsonl",
        "loss.png",
        "report.html",
    ]


STATE = {"step": 2, "config": {"steps": 6}}


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("training.json", b"", "not JSON"),
        ("training.json", b'{"step": 2, "conf', "not JSON"),
        ("training.json", b"\xff\xfe", "not JSON"),
        ("training.json", b"[1, 2]", "it holds something else"),
        ("training.json", json.dumps(STATE | {"config": None}).encode(), "it holds something else"),
        ("training.json", json.dumps(STATE | {"step": -5}).encode(), "step -5 of 6"),
        ("training.json", json.dumps(STATE | {"step": 7}).encode(), "step 7 of 6"),
        ("training.json", json.dumps(STATE | {"step": "2"}).encode(), "step '2'"),
        ("training.json", json.dumps(STATE | {"step": True}).encode(), "step True"),
        ("training.safetensors", b"", "is damaged"),
        ("training.safetensors", b"\x10" + bytes(200), "is damaged"),
    ],
)
def test_a_damaged_checkpoint_is_refused_with_the_file_and_a_remedy(
    data: Path, finished: Path, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    out = tmp_path / "run"
    subprocess.run(["cp", "-r", finished, out], check=True)
    shutil.rmtree(out / "checkpoints")  # none to fall back to
    (out / "checkpoint" / SUMS_FILE).unlink()  # as a checkpoint from before there were checksums
    (out / "checkpoint" / name).write_bytes(content)
    with pytest.raises(ResumeError, match=rf"checkpoint/{name} is damaged") as caught:
        train(settings(data, out))
    assert problem in str(caught.value) and "delete it to begin again" in str(caught.value)
    (out / "checkpoint" / name).unlink()
    if name == "training.safetensors":
        with pytest.raises(ResumeError, match=r"training.safetensors is damaged"):
            train(settings(data, out))


def test_a_bad_line_of_the_log_is_left_out_and_that_is_said(
    data: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    subprocess.run(["cp", "-r", finished, out], check=True)
    lines = (out / "log.jsonl").read_bytes().splitlines(keepends=True)
    bad = [b'{"step": 1, "kin\n', b"\xff\xff\n", b"7\n", b'{"kind": "train"}\n', b'{"step": 2, "kind": "tr']
    (out / "log.jsonl").write_bytes(b"".join([bad[0], *lines[:2], *bad[1:4], *lines[2:], bad[4]]))
    assert train(settings(data, out)) == 0
    assert (out / "log.jsonl").read_bytes() == b"".join(lines)
    assert "lines 1, 4, 5, 6 are damaged and left out" in capsys.readouterr().out.replace("\n", " ")


def test_a_second_training_into_the_same_folder_is_refused_at_once(data: Path, finished: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    with sole_user(finished, "training into"), pytest.raises(TrainError, match=rf"process {os.getpid()} .*training"):
        train(settings(data, finished))
    assert before == {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}


@pytest.mark.parametrize("limit", [500, 30_000])
def test_a_full_disk_is_one_line_and_the_checkpoint_before_stays(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: int
) -> None:
    """A limit on the size of files is met in the same places."""
    out = tmp_path / "run"
    train(settings(data, out, stop_after=2))
    before = {path.name: path.read_bytes() for path in (out / "checkpoint").iterdir()}
    arguments = [*COMMAND[2:], f"data={data}", f"out={out}", "workers=0"]
    with small_files(limit):
        assert main(arguments) == 1
    [*_, line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"embodio-train: {out}/"), line
    assert "cannot be written: File too large. The limit on the size of files is reached: raise it" in line
    assert {path.name: path.read_bytes() for path in (out / "checkpoint").iterdir()} == before
    assert not list(out.glob(".*"))
    assert main(arguments) == 0


def test_a_damaged_episode_among_the_held_out_ones_is_left_out_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_toy_dataset(tmp_path / "toy", episodes=4, steps=5)
    shard = next(folder.glob("*.tfrecord*"))
    content = bytearray(shard.read_bytes())
    content[-1000] ^= 1  # in the last episode
    shard.write_bytes(content)
    for held_out, validated in ((2, True), (1, False)):
        out = tmp_path / f"run{held_out}"
        assert train(settings(folder, out, holdout=held_out, steps=3)) == 0
        said = capsys.readouterr().out.replace("\n", " ")
        assert ("validation at step 3" in said) == validated
        if not validated:
            assert "no validation, as no held-out episode can be used" in said


def test_a_held_out_record_that_turns_out_damaged_does_not_end_the_run(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from embodio.datasets.errors import CorruptRecordError
    from embodio.datasets.tasks.next_action import NextAction

    whole = NextAction.example

    def damaged(self: NextAction, index: int, generator: Any = None) -> Any:
        if self.locate(index)[0] == 5:
            raise CorruptRecordError(data, 5, "it is damaged", "Fetch it again")
        return whole(self, index, generator)

    monkeypatch.setattr(NextAction, "example", damaged)
    assert train(settings(data, tmp_path / "all", steps=3)) == 0
    assert "validation" not in [line["kind"] for line in read_log(tmp_path / "all" / "log.jsonl")]
    assert "left out a damaged record: toy, episode 5" in capsys.readouterr().out.replace("\n", " ")
    assert train(settings(data, tmp_path / "some", steps=3, holdout=2)) == 0
    assert "validation" in [line["kind"] for line in read_log(tmp_path / "some" / "log.jsonl")]


def test_one_step_that_is_not_finite_costs_that_step_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    embodiment = make_embodiment()
    with RLDSWriter(tmp_path / "toy", "toy", features_of(embodiment)) as writer:
        for episode in range(3):
            rows = toy_rows(np.random.default_rng(episode), 30)
            if episode != 1:
                rows[12]["action"] = np.full(3, np.nan, np.float32)
            writer.add(rows, metadata_of(episode))
    embodiment.save(tmp_path / "toy" / "embodiment.json")
    assert train(settings(tmp_path / "toy", tmp_path / "run", steps=3)) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert "data: steps left out of statistics, training and validation: 2 not finite" in said
    assert "next_action: 2 of 60 moments for training read such a step, and are left out" in said
    assert "validation at step 3" in said
    statistics = json.loads((tmp_path / "run" / "checkpoint" / "statistics.json").read_text())
    assert statistics["fields"]["action"]["count"] == 88
    assert [line for line in read_log(tmp_path / "run" / "log.jsonl") if line["kind"] == "damaged"] == []
    assert len(RLDSReader(tmp_path / "toy")) == 3
    assert load_file(tmp_path / "run" / "checkpoint" / "model.safetensors")
