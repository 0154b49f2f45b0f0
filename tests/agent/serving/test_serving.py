"""Served agents: the same actions as at home, typed errors, and clients that cannot harm each other."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from websockets.sync.client import connect

from embodio.agent.agent import Agent
from embodio.agent.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from embodio.agent.client import (
    ConnectionLost,
    DeadlineExceeded,
    MessageError,
    MessageTooLarge,
    Overloaded,
    PolicyFailed,
    RemoteAgent,
    ServerUnreachable,
    Unauthorised,
)
from embodio.agent.client.messages import pack, unpack
from embodio.agent.errors import NotReset, ObservationError
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings, ServingError
from embodio.envs.errors import EmbodimentMismatch
from tests.support.agent.messages import FRAME, HELLO, SEEN
from tests.support.agent.policies import make_observation
from tests.support.agent.stub import PATIENCE, StubPolicy, make_embodiment


@pytest.fixture
def url() -> Iterator[str]:
    settings = ServerSettings(port=0, max_bytes=1_000_000, message_seconds=3.0, keep_seconds=PATIENCE)
    with serving(StubPolicy(), settings) as address:
        yield address


@pytest.fixture
def healthy(url: str) -> Iterator[None]:
    """A robot that acts before and after what a test does to the server."""
    with RemoteAgent(url) as agent:
        agent.reset("7")
        np.testing.assert_array_equal(agent.act(SEEN), [7, 0])
        yield
        np.testing.assert_array_equal(agent.act(SEEN), [7, 1])


def test_same_as_at_home(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "saved", checkpoint.model, checkpoint.format)
    checkpoint = load_checkpoint(tmp_path / "saved")
    local = Agent(checkpoint, replan=1)
    with (
        serving(AgentPolicy(Agent(checkpoint, replan=1)), ServerSettings(port=0)) as url,
        RemoteAgent(url, embodiment=local.embodiment) as remote,
    ):
        with pytest.raises(NotReset):
            remote.act(make_observation(0))
        for agent in (local, remote):
            agent.reset(instruction="lift the cube")
        for seed in range(3):
            at_home, away = local.act(make_observation(seed)), remote.act(make_observation(seed))
            assert at_home.dtype == away.dtype and at_home.tobytes() == away.tobytes()
        assert remote.embodiment == local.embodiment
        assert away.flags.owndata and away.flags.writeable
        with pytest.raises(ObservationError, match="state"):
            remote.act({key: value for key, value in make_observation(0).items() if key != "state"})


def test_refuses_another_robot(url: str) -> None:
    with pytest.raises(EmbodimentMismatch, match="name"):
        RemoteAgent(url, embodiment=make_embodiment("other"))


def test_ten_clients_are_not_mixed_up(url: str) -> None:
    def play(number: int) -> list[list[float]]:
        with RemoteAgent(url) as agent:
            agent.reset(str(number))
            return [agent.act(SEEN).tolist() for _ in range(10)]

    with ThreadPoolExecutor(10) as pool:
        for number, actions in enumerate(pool.map(play, range(10))):
            assert actions == [[number, step] for step in range(10)]


@pytest.mark.usefixtures("healthy")
@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\x80", pack({"type": "act", "id": 1}), "text", pack({"type": "hello"})]
)
def test_malformed_greeting(url: str, data: bytes | str) -> None:
    with connect(url, compression=None) as socket:
        socket.send(data)
        answer = unpack(socket.recv(timeout=PATIENCE))
        assert (answer["type"], answer["name"]) == ("error", "MessageError")


@pytest.mark.usefixtures("healthy")
def test_slow_half_closed_and_oversized(url: str) -> None:
    with connect(url, compression=None) as silent:
        assert unpack(silent.recv(timeout=PATIENCE))["name"] == "DeadlineExceeded"
    with connect(url, compression=None) as half:
        half.send(pack(HELLO))
        assert unpack(half.recv(timeout=PATIENCE))["type"] == "welcome"
        half.socket.sendall(b"\x82\xfe\x10\x00")
        half.socket.shutdown(1)
    with RemoteAgent(url) as agent:
        agent.reset("1")
        with pytest.raises(MessageTooLarge, match="max_megabytes"):
            agent.act({"front": np.zeros(1_000_001, np.uint8)})
        agent._link.most_bytes = 10**9
        with pytest.raises((MessageTooLarge, ConnectionLost)):
            agent.act({"front": np.zeros(1_000_001, np.uint8)})
        with pytest.raises(MessageError, match="object"):
            agent.act({"front": np.array([None])})


@pytest.mark.usefixtures("healthy")
def test_policy_faults_are_answers(url: str) -> None:
    with RemoteAgent(url) as agent:
        agent.reset("1")
        with pytest.raises(PolicyFailed, match="RuntimeError"):
            agent.act({"break": 1})
        agent.deadline = 0.5
        with pytest.raises(DeadlineExceeded):
            agent.act({"front": FRAME, "sleep": 2.0})
        time.sleep(2.0)
        agent.deadline = PATIENCE
        assert agent.act(SEEN).tolist() == [1, 1]


def test_token() -> None:
    with serving(StubPolicy(), ServerSettings(port=0, token="correct horse")) as url:
        for wrong in (None, "wrong horse"):
            with pytest.raises(Unauthorised, match="token"):
                RemoteAgent(url, token=wrong)
        web = url.replace("ws:", "http:")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{web}/metrics")
        with RemoteAgent(url, token="correct horse") as agent:
            agent.reset("2")
            assert agent.act(SEEN).tolist() == [2, 0]
        with pytest.raises(Unauthorised, match="beyond ASCII"):
            RemoteAgent(url, token="correct лошадь")
    for wrong in ({"host": "0.0.0.0"}, {"token": "short"}, {"token": "correct лошадь"}, {"token": "correct\nhorse"}):
        with pytest.raises(ServingError, match="token"):
            ServerSettings(**wrong)  # type: ignore[arg-type]


def test_http(url: str) -> None:
    web = url.replace("ws:", "http:")
    with RemoteAgent(url) as agent:
        agent.reset("1")
        agent.act(SEEN)
        text = urllib.request.urlopen(f"{web}/metrics").read().decode()
        assert 'embodio_answers_total{verb="act",outcome="ok"} 1' in text and "embodio_clients 1" in text
    assert urllib.request.urlopen(f"{web}/healthz").read() == b"ok\n"


def test_goes_on_after_a_broken_connection(url: str) -> None:
    with RemoteAgent(url) as agent:
        agent.reset("3")
        agent.act(SEEN)
        agent._link._socket.socket.shutdown(2)
        assert agent.act(SEEN).tolist() == [3, 1]


def test_forgotten_episode_and_killed_server() -> None:
    with serving(StubPolicy(), ServerSettings(port=0)) as url:
        agent = RemoteAgent(url, patience=0.3)
        agent.reset("4")
    with pytest.raises(ConnectionLost, match="embodio-serve"):
        agent.act(SEEN)
    with pytest.raises(ServerUnreachable, match="embodio-serve"):
        agent.reset("4")
    with pytest.raises(ServerUnreachable, match="embodio-serve"):
        RemoteAgent(url, patience=0.1)
    with serving(StubPolicy(), ServerSettings(port=int(url.rsplit(":", 1)[1]))):
        with pytest.raises(ConnectionLost, match="reset"):
            agent.act(SEEN)
        with pytest.raises(NotReset):
            agent.act(SEEN)
        agent.reset("4")
        assert agent.act(SEEN).tolist() == [4, 0]
        agent.close()


def test_stopping_finishes_what_runs() -> None:
    found = []
    with serving(StubPolicy(), ServerSettings(port=0)) as url:
        agent = RemoteAgent(url, patience=0.2)
        agent.reset("5")
        thread = threading.Thread(target=lambda: found.append(agent.act({"front": FRAME, "sleep": 3.0}).tolist()))
        thread.start()
        time.sleep(1.0)
    thread.join()
    assert found == [[5, 0]]
    agent.close()


def test_full_server() -> None:
    with (
        serving(StubPolicy(), ServerSettings(port=0, max_clients=1)) as url,
        RemoteAgent(url),
        pytest.raises(Overloaded, match="reached its limit of"),
    ):
        RemoteAgent(url, patience=0.1)
