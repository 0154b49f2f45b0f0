"""The page at /: what it asks for is served, what it is sent has the form that it reads, nothing comes from afar."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from embodio.agent.client import RemoteAgent
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from embodio.agent.serving.watch import _readable
from tests.support.agent.stub import PATIENCE, StubPolicy

FRAME = np.full((128, 128, 3), (200, 30, 60), np.uint8)
TOKEN = "correct horse"


@contextlib.contextmanager
def page(url: str, token: str = "") -> Iterator[ClientConnection]:
    """A connection as the page makes it."""
    kinds = ["embodio.watch", *([f"embodio.watch.{token.encode().hex()}"] if token else [])]
    origin = url.replace("ws", "http", 1)
    with connect(f"{url}/watch", subprotocols=kinds, compression=None, origin=origin) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "embodio.watch"
        yield socket


def read(socket: ClientConnection, kind: str, **wanted: Any) -> dict[str, Any]:
    """The next message of a kind, in which a robot is as wanted."""
    until = time.monotonic() + PATIENCE
    while True:
        message = json.loads(socket.recv(timeout=max(0.0, until - time.monotonic())))
        if message["type"] == kind and (not wanted or any(wanted.items() <= r.items() for r in message["robots"])):
            return message


def test_everything_is_on_the_page_itself() -> None:
    with serving(StubPolicy(), ServerSettings(port=0)) as url:
        answer = urllib.request.urlopen(url.replace("ws:", "http:"))
        text, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    assert not re.search(r"https?://|src=\"|@import|url\(", text) and "default-src 'none'" in policy
    ids, used = set(re.findall(r' id="(\w+)"', text)), set(re.findall(r'at\("(\w+)"\)', text))
    assert used <= ids and {"frames", "instruction", "actions", "p50"} <= used


def test_steps_and_instructions() -> None:
    with serving(StubPolicy(), ServerSettings(port=0)) as url, page(url) as socket:
        hello = read(socket, "hello")
        assert hello["robots"] == [] and hello["embodiment"]["action"]["dimensions"][0]["name"] == "x"
        with RemoteAgent(url) as agent, RemoteAgent(url) as other:
            agent.reset("1")
            other.reset("2")
            assert read(socket, "robots", client=1, instruction="1")["robots"][1]["client"] == 2
            agent.act({"front": FRAME})
            step = read(socket, "step")
            assert step["client"] == 1 and step["actions"] == [[1, 0]] and np.shape(step["milliseconds"]) == (1, 2)
            kind, _, data = step["frames"]["front"][0].partition(",")
            picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
            assert kind == "data:image/jpeg;base64" and np.abs(picture.astype(int) - FRAME).max() < 12
            for nonsense in ("nonsense", "[]", "{}", '{"client": 1}', '{"client": 1, "instruction": 5}', "[" * 10_000):
                socket.send(nonsense)
            socket.send('{"client": 1, "instruction": " 9 "}')
            read(socket, "robots", client=1, ordered="9")
            assert agent.act({"front": FRAME}).tolist() == [9, 0]
            assert other.act({"front": FRAME}).tolist() == [2, 0]
            assert read(socket, "robots", client=1, instruction="9")["robots"][0]["ordered"] is None
            socket.send('{"client": 1, "instruction": "jump"}')
            read(socket, "robots", client=1, ordered="jump")
            assert agent.act({"front": FRAME}).tolist() == [9, 1]
            read(socket, "robots", client=1, instruction="9", refused="instruction: the stub wants a number")
        while read(socket, "robots")["robots"]:
            pass


def test_a_page_that_is_opened_in_a_pause_shows_the_last_step_of_each_robot() -> None:
    with serving(StubPolicy(), ServerSettings(port=0)) as url, contextlib.ExitStack() as stack:
        robots = [stack.enter_context(RemoteAgent(url)) for _ in range(12)]
        for number, robot in enumerate(robots[:11]):
            robot.reset(str(number))
            for _ in range(2):
                robot.act({"front": FRAME})
        with page(url) as socket:
            steps = [read(socket, "step") for _ in range(11)]
        assert [step["actions"] for step in sorted(steps, key=lambda step: step["client"])] == [
            [[number, 1]] for number in range(11)
        ]
        assert all(len(step["frames"]["front"]) == 1 and len(step["milliseconds"]) == 1 for step in steps)


def test_token_and_origin() -> None:
    with serving(StubPolicy(), ServerSettings(port=0, token=TOKEN)) as url:
        with page(url, TOKEN) as socket:
            read(socket, "hello")
        for wrong in ("", "wrong horse"):
            with pytest.raises(InvalidStatus, match="401"), page(url, wrong):
                pass
        with pytest.raises(urllib.error.HTTPError, match="401"):  # by which the page knows that a token is wanted
            urllib.request.urlopen(f"{url.replace('ws:', 'http:')}/metrics")
    with serving(StubPolicy(), ServerSettings(port=0)) as url:
        port = url.rsplit(":", 1)[1]
        for origin, host in (("http://elsewhere.example", None), (f"http://rebound.example:{port}", "rebound.example")):
            headers = {} if host is None else {"Host": f"{host}:{port}"}
            with pytest.raises(InvalidStatus, match="403"):
                connect(f"{url}/watch", origin=origin, additional_headers=headers)  # type: ignore[arg-type]


def test_a_page_that_reads_nothing_holds_up_nobody() -> None:
    with serving(StubPolicy(), ServerSettings(port=0)) as url, page(url), RemoteAgent(url) as agent:
        agent.reset("1")
        noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
        for _ in range(12):
            begin = time.monotonic()
            agent.act({"front": noise})
            assert time.monotonic() - begin < PATIENCE / 6
            time.sleep(0.1)


def test_instructions_for_people() -> None:
    assert _readable(("a", "b", "a")) == "3 rows: a; b" and _readable(["put", FRAME]) == "put [image]"
    assert _readable((np.zeros(3), 16000)) == "(spoken)" and _readable(None) == ""
