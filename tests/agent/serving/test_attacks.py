"""What hostile, broken and greedy clients do: each gets a typed answer or is cut off, and a healthy robot acts on."""

from __future__ import annotations

import contextlib
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from embodio.agent.client import (
    DeadlineExceeded,
    MessageError,
    Overloaded,
    ProtocolMismatch,
    RemoteAgent,
    ServerUnreachable,
)
from embodio.agent.client import link as client_link
from embodio.agent.client.messages import pack, unpack
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from tests.support.agent.messages import FRAME, HELLO, SEEN
from tests.support.agent.stub import PATIENCE, StubPolicy

ACT = {"type": "call", "verb": "act", "seconds": PATIENCE, "arguments": {"observation": SEEN}}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    limits = ServerSettings(port=0, max_bytes=1_000_000, message_seconds=3.0, max_clients=8)
    with serving(StubPolicy(), limits) as address:
        yield address


@pytest.fixture
def url(server: str) -> Iterator[str]:
    """A server on which a robot acts before and after what a test does to it."""
    with RemoteAgent(server) as agent:
        agent.reset("7")
        np.testing.assert_array_equal(agent.act(SEEN), [7, 0])
        yield server
        np.testing.assert_array_equal(agent.act(SEEN), [7, 1])


@contextlib.contextmanager
def greeted(url: str, **changes: Any) -> Iterator[tuple[ClientConnection, dict[str, Any]]]:
    """A raw connection after its greeting, and the answer to that."""
    with connect(url, compression=None, close_timeout=0.2) as raw:
        raw.send(pack({**HELLO, **changes}))
        yield raw, unpack(raw.recv(timeout=PATIENCE))


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("ws://").split(":")
    return host, int(port)


@pytest.mark.parametrize(
    ("changes", "name", "message"),
    [
        ({"protocol": 1}, "ProtocolMismatch", "protocol: server 2, client 1"),
        ({"protocol": "2"}, "MessageError", "hello.protocol: expected int"),
        ({"protocol": True}, "MessageError", "hello.protocol: expected int"),
        ({"embodiment": {"name": "x"}}, "EmbodimentError", "."),
        ({"embodiment": [1]}, "MessageError", "hello.embodiment"),
        ({"session": 5}, "MessageError", "hello.session"),
        ({"client": None}, "MessageError", "hello.client"),
    ],
)
def test_greetings(url: str, changes: dict[str, Any], name: str, message: str) -> None:
    with greeted(url, **changes) as (raw, answer):
        assert (answer["type"], answer["name"]) == ("error", name)
        assert re.search(message, answer["message"])
        with pytest.raises(ConnectionClosed):
            raw.recv(timeout=PATIENCE)


def test_an_older_client_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_link, "PROTOCOL", 1)
    with pytest.raises(ProtocolMismatch, match="install one version"):
        RemoteAgent(url)


def test_a_server_that_dies_while_it_is_greeted(monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_: object, **__: object) -> None:
        raise ConnectionClosedError(None, None)

    monkeypatch.setattr(client_link, "connect", dying)
    with pytest.raises(ServerUnreachable):
        RemoteAgent("ws://127.0.0.1:1", patience=0.1)


def test_nobody_takes_over_an_episode(url: str) -> None:
    for guess in ("", "0" * 32, "../../etc/passwd", "é" * 1000):
        with greeted(url, session=guess) as (_, welcome):
            assert welcome["type"] == "welcome" and welcome["resumed"] is False and welcome["session"] != guess


@pytest.mark.parametrize(
    "changes",
    [
        {"verb": "__init__"},
        {"verb": "close"},
        {"arguments": {}},
        {"arguments": {"observation": 3}},
        {"arguments": {"observation": SEEN, "self": 1}},
        {"seconds": float("nan")},
        {"seconds": -1.0},
        {"seconds": "soon"},
        {"verb": ["act"]},
        {"arguments": [1]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_requests_that_make_no_sense_are_answered(url: str, changes: dict[str, Any]) -> None:
    with greeted(url) as (raw, _):
        raw.send(pack({**ACT, "id": 1, **changes}))
        answer = unpack(raw.recv(timeout=PATIENCE))
        typed = changes == {"arguments": {"observation": 3}}
        wanted = ("error", 1, "WrongArgument" if typed else "MessageError")
        assert (answer["type"], answer["id"], answer["name"]) == wanted
        raw.send(pack({**ACT, "id": 2}))
        assert unpack(raw.recv(timeout=PATIENCE))["name"] == "NotReset"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=60), st.builds(lambda x: pack({"type": "call", "id": x}), st.integers(0, 9))))
def test_any_bytes_get_an_error_or_an_end(server: str, data: bytes) -> None:
    with greeted(server) as (raw, _), contextlib.suppress(ConnectionClosed):
        raw.send(data)
        assert unpack(raw.recv(timeout=PATIENCE))["type"] == "error"


def test_a_repeated_request_is_computed_once(url: str) -> None:
    with greeted(url) as (raw, _):
        reset = {"instruction": "3", "seed": None, "rows": None}
        raw.send(pack({"type": "call", "id": 1, "verb": "reset", "seconds": PATIENCE, "arguments": reset}))
        raw.recv(timeout=PATIENCE)
        answers = []
        for number in (2, 2, 3):
            raw.send(pack({**ACT, "id": number}))
            answers.append(unpack(raw.recv(timeout=PATIENCE))["value"].tolist())
    assert answers == [[3, 0], [3, 0], [3, 1]]


def test_slow_senders_are_cut_off(url: str) -> None:
    begin = time.monotonic()
    with socket.create_connection(address(url)) as header, socket.create_connection(address(url)) as silent:
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: x\r\n" * 4:
                header.send(bytes([byte]))
                time.sleep(0.02)
        for raw in (header, silent):
            raw.settimeout(PATIENCE)
            with contextlib.suppress(ConnectionResetError):
                while raw.recv(1000):
                    pass

    def drip() -> Iterator[bytes]:
        while True:
            yield b"\x00"
            time.sleep(0.05)

    with greeted(url) as (slow, _), pytest.raises(ConnectionClosed):
        slow.send(drip())
    assert time.monotonic() - begin < PATIENCE


def test_a_client_that_takes_no_answers_is_cut_off(url: str) -> None:
    def cut_off() -> float:
        return metrics(url).get('embodio_refused_total{reason="slow reader"}', 0.0)

    before = cut_off()
    describe = {"type": "call", "verb": "describe", "seconds": PATIENCE, "arguments": {"frames": None, "row": 0}}
    with connect(url, compression=None, close_timeout=0.2, max_queue=1) as raw:
        raw.send(pack(HELLO))
        with contextlib.suppress(ConnectionClosed):
            for number in range(30):
                raw.send(pack({**describe, "id": number}))
        until = time.monotonic() + PATIENCE
        while cut_off() == before and time.monotonic() < until:
            time.sleep(0.1)
    assert cut_off() == before + 1


def test_a_client_that_dies_while_it_acts(url: str) -> None:
    with greeted(url) as (raw, welcome):
        raw.send(pack({**ACT, "id": 1, "arguments": {"observation": {"front": FRAME, "sleep": 1.0}}}))
        raw.socket.shutdown(socket.SHUT_RDWR)
    with greeted(url, session=welcome["session"]) as (again, resumed):
        assert resumed["resumed"] is True
        again.send(pack({**ACT, "id": 1}))
        assert unpack(again.recv(timeout=PATIENCE))["name"] == "NotReset"


def test_one_session_has_one_connection(url: str) -> None:
    with greeted(url) as (first, welcome), greeted(url, session=welcome["session"]) as (_, second):
        assert second["resumed"] is True
        with pytest.raises(ConnectionClosed):
            first.recv(timeout=PATIENCE)


def test_more_clients_and_requests_than_there_is_room_for() -> None:
    limits = ServerSettings(port=0, max_waiting=2, max_clients=40, deadline=PATIENCE, max_batch=1)
    with serving(StubPolicy(), limits) as url:
        agents = [RemoteAgent(url) for _ in range(6)]
        for number, agent in enumerate(agents):
            agent.reset(str(number))

        def ask(number: int) -> str:
            try:
                return str(int(agents[number].act({"front": FRAME, "sleep": 1.5})[0]) == number)
            except (Overloaded, DeadlineExceeded) as error:
                return type(error).__name__

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(ask, range(6)))
        assert {"True", "Overloaded"} <= set(found) <= {"True", "Overloaded", "DeadlineExceeded"}
        for agent in agents:
            agent.close()


def metrics(url: str) -> dict[str, float]:
    """The samples of /metrics, whose format is checked as Prometheus reads it."""
    answer = urllib.request.urlopen(f"{url.replace('ws:', 'http:')}/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text, found, kinds = answer.read().decode(), {}, {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# "):
            word, name, rest = line[2:].split(" ", 2)
            assert word in ("HELP", "TYPE") and re.fullmatch(r"embodio_[a-z_]+", name)
            if word == "TYPE":
                assert name not in kinds and rest in ("counter", "gauge", "histogram")
                kinds[name] = rest
            continue
        sample = re.fullmatch(r'([a-z_]+)(\{(?:[a-z]+="[^"\\\n]*",?)*\})? (\S+)', line)
        assert sample, line
        name = re.sub(r"_(bucket|sum|count)$", "", sample[1])
        assert (kinds.get(sample[1]) or kinds[name]) and sample[1] + (sample[2] or "") not in found
        found[sample[1] + (sample[2] or "")] = float(sample[3])
    for name in (name for name, kind in kinds.items() if kind == "histogram"):
        counts = [value for key, value in found.items() if key.startswith(f"{name}_bucket")]
        assert counts == sorted(counts) and counts[-1] == found[f"{name}_count"]
    return found


def test_metrics_count_what_happens(url: str) -> None:
    before = metrics(url)
    with RemoteAgent(url) as agent:
        agent.reset("1")
        agent.act(SEEN)
        during = metrics(url)
        with pytest.raises(MessageError):
            agent._call("act", observation={"front": [[]] * 20_000})
    with greeted(url, protocol=7):
        pass
    after = metrics(url)
    assert during["embodio_clients"] == before["embodio_clients"] + 1
    acts = 'embodio_answers_total{verb="act",outcome="ok"}'
    assert during[acts] == before[acts] + 1
    refused = 'embodio_refused_total{reason="ProtocolMismatch"}'
    assert after[refused] == before.get(refused, 0) + 1
    assert after["embodio_compute_seconds_count"] > before["embodio_compute_seconds_count"]
