"""Peers: what passes between the two programs, a peer in a rollout, and the suite, all without LeRobot."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from embodio.benchmarks.errors import PeerError
from embodio.benchmarks.peers.lerobot_side import ABOUT, read_arrays
from embodio.benchmarks.peers.peer_policy import PeerPolicy
from embodio.benchmarks.peers.peers import TrainedOn
from embodio.benchmarks.peers.program import LEROBOT_PYTHON, PeerProgram, packed
from embodio.benchmarks.speed import main as command
from embodio.train.main import train
from tests.support.agent.policies import make_embodiment
from tests.support.datasets.toy import write_toy_dataset
from tests.support.train.runs import settings

FAKE = Path(__file__).parents[2] / "support" / "programs" / "fake_lerobot.py"
NUMBERS = arrays(scalar_dtypes(), array_shapes(min_dims=0, min_side=0, max_side=4))


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that answers for LeRobot."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv(LEROBOT_PYTHON, str(path))
    return path


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    """The folder of a trained peer."""
    folder = tmp_path / "peer"
    folder.mkdir()
    (folder / ABOUT).write_text(json.dumps({"cameras": ["front", "hand"], "steps": 7}))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def observation(brightness: int) -> dict[str, np.ndarray]:
    frame = np.full((4, 4, 3), brightness, np.uint8)
    return {"state": np.full(2, -7, np.float32), "hand": frame, "front": frame + 1, "unread": frame}


@given(st.dictionaries(st.text(), NUMBERS, max_size=3))
def test_arrays_arrive_as_they_were_sent(sent: dict[str, np.ndarray]) -> None:
    stream = io.BytesIO(packed("act", sent) + b"the next request")
    request = json.loads(stream.readline())
    read = read_arrays(request["arrays"], stream)
    assert stream.read() == b"the next request" and request["verb"] == "act" and [*read] == [*sent]
    for name, array in sent.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        assert read[name].tobytes() == array.tobytes()


def test_a_peer_acts_within_the_limits(python: Path, peer: Path) -> None:
    policy = PeerPolicy(peer, make_embodiment())
    policy.reset("lift")
    assert policy.act(observation(100)).tolist() == [1.0, 2.0, -1.0]
    assert (
        policy.memory() == 12.5 and policy.info["steps"] == 7 and len(policy.info["sha256"]["model.safetensors"]) == 64
    )
    with pytest.raises(PeerError, match="the network fell apart"):
        policy.act(observation(220))
    policy.close()
    (peer / ABOUT).write_text("{}")
    with pytest.raises(PeerError, match=r"damaged.*train that policy again"):
        PeerPolicy(peer, make_embodiment())


def test_a_python_without_lerobot_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEROBOT_PYTHON, str(tmp_path / "none"))
    with pytest.raises(PeerError, match="none does not start"):
        PeerProgram("act", "x")
    monkeypatch.setenv(LEROBOT_PYTHON, "/bin/echo")
    with pytest.raises(PeerError, match="in place of an answer"):
        PeerProgram("act", "x").answer()
    monkeypatch.delenv(LEROBOT_PYTHON)
    with pytest.raises(PeerError, match="pip install lerobot"):
        PeerProgram("act", "x")


def suite(agent: Path, out: Path, *more: str) -> int:
    toy = "tests.support.agent.toy_env:ToyEnv"
    given = [f"peers.agent={agent}", f"peers.env={toy}", "peers.episodes=2", "peers.seed=3", f"out={out}", *more]
    return command.main(["suite=peers", *given])


def test_the_suite_trains_plays_and_compares(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_toy_dataset(tmp_path / "toy", episodes=3, steps=6)
    assert train(settings(data, tmp_path / "run", steps=1, batch_size=2, holdout=2)) == 0
    agent, out = tmp_path / "run" / "checkpoint", tmp_path / "peers"
    assert TrainedOn.of(agent) == TrainedOn(str(data), 2, "action", ("front", "hand"))
    assert suite(agent, out, "peers.names=[act_fitted]", "peers.minutes=4") == 0
    learned = json.loads((out / "act_fitted" / "checkpoint" / ABOUT).read_text())
    assert (learned["episodes"], learned["minutes"], learned["options"]["chunk_size"]) == (1, 4, 16)
    assert (Path(learned["data"]) / "meta" / "info.json").is_file()
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert [row["name"] for row in rows] == [
        "agent: success",
        *(f"act_fitted: {what}" for what in ("success", "mean time to act", "p99 of the time to act", "memory")),
        "act_fitted: weights on disk",
    ]
    assert rows[4]["value"] == 12.5 and rows[4]["reference"] > 50
    assert "cannot tell: +0.0 points" in rows[1]["note"] and "1 steps, 3 parameters" in rows[1]["note"]
    seeds = [
        json.loads((out / name / "rollout" / "results.json").read_text())["episodes"]
        for name in ("agent", "act_fitted")
    ]
    assert [[row["seed"] for row in rows] for rows in seeds] == [[3, 4], [3, 4]]
    (out / "demonstrations").rename(tmp_path / "away")
    assert suite(agent, out, "peers.names=[act_fitted]") == 0 and not (out / "demonstrations").exists()
    capsys.readouterr()
    monkeypatch.delenv(LEROBOT_PYTHON)
    for arguments, said in (
        ((agent, out), "pip install lerobot"),
        ((agent, out, "peers.names=[dance]"), "there is no peer 'dance'; there are act"),
        ((agent, out, "peers.agent=''"), "name the checkpoint"),
    ):
        assert suite(*arguments) != 0
        assert said in capsys.readouterr().err.replace("\n", " ")
