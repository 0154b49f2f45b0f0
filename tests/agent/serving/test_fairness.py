"""Writing and drawing for one client does not hold up robots, ends when nobody waits for it, and changes no answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent
from embodio.agent.client import RemoteAgent
from embodio.agent.client.errors import ConnectionLost, DeadlineExceeded, RemoteError, ServerStopping
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from embodio.model.pauses import pause
from tests.support.agent.artists import artist
from tests.support.agent.messages import SEEN
from tests.support.agent.policies import make_observation
from tests.support.agent.stub import PATIENCE, StubPolicy

STEP = 0.02


class Writer(StubPolicy):
    """Describes in as many steps as its frame says, with a pause before each, and counts them."""

    steps = 0

    def call(self, state: dict[str, Any], verb: str, arguments: dict[str, Any]) -> Any:
        if verb != "describe":
            return super().call(state, verb, arguments)
        for _ in range(int(arguments["frames"][0])):
            pause()
            time.sleep(STEP)
            self.steps += 1
        return {"text": "written", "log_probability": -1.0}


@contextmanager
def writing(steps: int, **settings: Any) -> Iterator[tuple[Writer, str, RemoteAgent, list[Any]]]:
    """A server that writes for a client; its address, the client, and what will come of it."""
    policy, found = Writer(), list[Any]()
    with serving(policy, ServerSettings(port=0, **settings)) as url:
        agent = RemoteAgent(url, patience=0.2)
        agent.deadline = 60.0

        def describe() -> None:
            try:
                found.append(agent.describe(np.array([steps])).text)
            except RemoteError as error:
                found.append(error)

        thread = threading.Thread(target=describe)
        thread.start()
        wait_until(lambda: policy.steps > 0)
        yield policy, url, agent, found
    thread.join()


def wait_until(true: Any, seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_robots_act_while_somebody_else_is_written_to() -> None:
    with writing(300) as (policy, url, _, found), RemoteAgent(url) as robot:
        robot.reset("3")
        written = []
        for step in range(10):
            begin = policy.steps
            assert robot.act(SEEN).tolist() == [3, step]
            written.append(policy.steps - begin)
        assert policy.steps < 300 and not found
        assert sorted(written)[5] <= 5, "steps of writing during one step of the robot"
    assert found == ["written"] and policy.steps == 300


def test_two_who_want_something_long_get_it_one_after_the_other() -> None:
    with writing(20) as (policy, url, _, found), RemoteAgent(url) as other:
        assert other.describe(np.array([3])).text == "written"
        assert policy.steps == 23
    assert found == ["written"]


def test_what_nobody_waits_for_is_given_up() -> None:
    with writing(1000) as (policy, url, agent, found), RemoteAgent(url) as other:
        agent._link._socket.close()  # type: ignore[union-attr]
        agent.close()
        assert other.describe(np.array([1])).text == "written"
        assert policy.steps < 200
    assert isinstance(found[0], ConnectionLost)


def test_a_client_that_vanishes_is_expected_back_for_a_while() -> None:
    with writing(60) as (policy, _, agent, found):
        agent._link._socket.socket.shutdown(2)  # type: ignore[union-attr]
        wait_until(lambda: found)
        assert found == ["written"] and policy.steps == 60
    with writing(1000) as (policy, url, agent, found):
        agent._closed, link = True, agent._link
        agent._mend = lambda *_: (_ for _ in ()).throw(ConnectionLost("it does not come back"))  # type: ignore[method-assign]
        link._socket.socket.shutdown(2)  # type: ignore[union-attr]
        with RemoteAgent(url) as other:
            assert other.describe(np.array([1])).text == "written"
        assert 5 < policy.steps < 250


def test_a_client_without_patience_frees_the_server() -> None:
    with writing(100) as (_, url, _, _), RemoteAgent(url, deadline=0.3) as other, pytest.raises(DeadlineExceeded):
        other.describe(np.array([1]))
    policy = Writer()
    with serving(policy, ServerSettings(port=0)) as url, RemoteAgent(url, deadline=0.3) as agent:
        with pytest.raises(DeadlineExceeded):
            agent.describe(np.array([1000]))
        agent.deadline = PATIENCE
        agent.reset("4")
        assert agent.act(SEEN).tolist() == [4, 0]
        assert policy.steps < 100


def test_a_server_that_stops_gives_up_what_is_long() -> None:
    begin = time.monotonic()
    with writing(10_000, stop_seconds=0.3) as (_, _, _, found):
        pass
    assert isinstance(found[0], ServerStopping | ConnectionLost)
    assert time.monotonic() - begin < PATIENCE


def test_drawing_and_acting_at_once_give_what_they_give_alone() -> None:
    checkpoint, seen = artist(), [make_observation(seed) for seed in range(12)]
    alone, artists = Agent(checkpoint), Agent(checkpoint)
    alone.reset("lift the cube")
    artists.reset("lift")
    actions = [alone.act(observation) for observation in seen]
    drawn = [artists.imagine("go", seen[0], seed=seed, guidance=2.0) for seed in range(3)]
    said = [artists.ask("What is this?", seen[0]), artists.describe(seen[1]["front"])]
    found: list[Any] = []

    def paint(painter: RemoteAgent) -> None:
        painter.reset("lift")
        found.extend(painter.imagine("go", seen[0], seed=seed, guidance=2.0) for seed in range(3))
        found.extend([painter.ask("What is this?", seen[0]), painter.describe(seen[1]["front"])])

    settings = ServerSettings(port=0)
    with serving(AgentPolicy(Agent(checkpoint)), settings) as url, RemoteAgent(url) as robot, RemoteAgent(url) as other:
        robot.reset("lift the cube")
        thread = threading.Thread(target=paint, args=(other,))
        thread.start()
        for expected, observation in zip(actions, seen, strict=True):
            np.testing.assert_array_equal(robot.act(observation), expected)
        thread.join()
    for one, other in zip(found[:3], drawn, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [answer.text for answer in found[3:]] == [answer.text for answer in said]
