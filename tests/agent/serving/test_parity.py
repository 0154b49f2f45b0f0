"""RemoteAgent is an Agent: the same verbs and properties with the same arguments, and the same kinds of errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, AgentError
from embodio.agent.client import RemoteAgent
from embodio.agent.client.errors import MessageError, WrongArgument
from embodio.agent.client.verbs import VERBS
from embodio.agent.errors import ActionError, ObservationError
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from embodio.model.errors import ModelError
from tests.support.agent.artists import artist
from tests.support.agent.policies import make_observation

AT_HOME = {
    "load": "a server has loaded its agent",
    "open_session": "sessions live on the server",
    "act_sessions": "sessions live on the server",
    "read": "sessions live on the server",
    "sessions": "sessions live on the server",
    "fork": "another RemoteAgent has episodes of its own",
    "tasks": "a TaskRunner has the network",
    "may_abstain": "a server answers with the error",
    "example": "Examples are of embodio.model, which a client may not have",
}
"""What only an Agent has, and why."""
SEEN = make_observation(0)
ODD = (
    *(None, True, 2.5, -1, 10**30, float("nan"), np.float32(1), np.int64(0), "", "a", b"x"),
    *((), ("a", "b"), [], [1], ["a", "b"], [["a"]], {}, {"a": 1}, SEEN),
    *(np.zeros(3), np.zeros((2, 2)), np.array("x"), np.array(["a"]), np.array([1, 2]), np.array([object()])),
)
CALLS: dict[str, tuple[tuple[Any, ...], tuple[str, ...]]] = {
    "act": ((), ("observation",)),
    "decide": ((), ("observation",)),
    "plan": ((), ("observation",)),
    "reset": (("go",), ("instruction", "seed", "rows")),
    "describe": ((), ("frames", "row")),
    "ask": (("what?",), ("question", "observation", "answers", "row")),
    "imagine": (("go",), ("instruction", "observation", "seed", "guidance", "row")),
    "judge": (([0, 0, 1],), ("action", "observation", "threshold", "row")),
    "warmup": ((), ("rows",)),
}


def public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_")}


def test_the_same_verbs_and_properties_with_the_same_arguments() -> None:
    home, remote = public(Agent), public(RemoteAgent)
    home["replan"] = property()  # an attribute
    assert set(home) - set(remote) == set(AT_HOME)
    for name in set(home) & set(remote):
        if isinstance(home[name], property):
            assert isinstance(remote[name], property), name
            continue
        wanted, found = (
            [(p.name, p.kind, p.default) for p in inspect.signature(member[name]).parameters.values()]
            for member in (home, remote)
        )
        assert wanted == found, name
        assert set(VERBS[name]) == {argument for argument, *_ in found if argument != "self"}


def outcome(agent: Any, verb: str, arguments: dict[str, Any]) -> Exception | None:
    """What a call raises; anything without a type of ours fails the test."""
    try:
        getattr(agent, verb)(**arguments)
    except (AgentError, ModelError) as error:
        return error
    return None


@pytest.mark.parametrize("verb", CALLS)
def test_odd_arguments_raise_the_same_kinds_of_errors(verb: str) -> None:
    first, names = CALLS[verb]
    given = dict(zip(list(inspect.signature(getattr(Agent, verb)).parameters)[1:], first, strict=False))
    local = Agent(artist())
    with serving(AgentPolicy(Agent(artist())), ServerSettings(port=0)) as url, RemoteAgent(url) as remote:
        for name in names:
            for agent in (local, remote):
                agent.reset("lift", seed=0)
                agent.act(SEEN)
            for odd in ODD:
                expected, found = (outcome(agent, verb, given | {name: odd}) for agent in (local, remote))
                told = f"{verb}({name}={odd!r}): {expected!r}, {found!r}"
                if isinstance(found, MessageError) and "cannot be sent" in str(found):
                    assert expected is not None, told
                elif isinstance(found, WrongArgument):
                    assert isinstance(expected, ObservationError | ActionError), told
                else:
                    assert type(expected) is type(found), told


def test_latency_and_warming_up_are_the_servers() -> None:
    with serving(AgentPolicy(Agent(artist()), max_rows=4), ServerSettings(port=0)) as url, RemoteAgent(url) as remote:
        assert remote.replan == Agent(artist()).replan
        remote.warmup(2)
        assert remote.latency() == {}
        remote.reset("lift")
        remote.act(SEEN)
        assert remote.latency()["total"]["count"] == 1
        with pytest.raises(MessageError, match="rows: 5"):
            remote.warmup(5)
