"""Every verb over a socket gives what it gives at home: one row or many, with text, sound, goals and prompts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, AgentOptions, PolicyConfig, PolicyFormat
from embodio.agent.checkpoint import Checkpoint
from embodio.agent.client import MessageError, RemoteAgent
from embodio.agent.client.answers import to_plain
from embodio.agent.errors import Abstained, ActionError, CannotDo, NotReset, ObservationError
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from embodio.envs.embodiment import Microphone
from embodio.model.tasks.errors import TaskError
from embodio.model.tokens.vocabulary import Vocabulary
from tests.support.agent.artists import artist
from tests.support.agent.policies import (
    make_checkpoint,
    make_embodiment,
    make_format,
    make_observation,
    make_statistics,
)
from tests.support.agent.robots import observation_of, poses, without_statistics, words


@contextmanager
def both(checkpoint: Checkpoint, max_rows: int = 64, **options: Any) -> Iterator[tuple[Agent, RemoteAgent]]:
    """An agent at home and the same one served."""
    chosen = AgentOptions(**options)
    policy = AgentPolicy(Agent(checkpoint, options=chosen), max_rows)
    with serving(policy, ServerSettings(port=0)) as url, RemoteAgent(url) as remote:
        yield Agent(checkpoint, options=chosen), remote


def batch(seeds: list[int]) -> dict[str, Any]:
    rows = [make_observation(seed) for seed in seeds]
    return {key: np.stack([row[key] for row in rows]) for key in ("front", "hand", "state")} | {"instruction": ("x",)}


def same(a: Any, b: Any) -> None:
    """Raises AssertionError unless two answers are equal, bit for bit."""
    a, b = to_plain(a), to_plain(b)
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a.keys() - {"milliseconds"}:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    else:
        assert a == b


def test_one_row() -> None:
    with both(artist(), temperature=0.7) as agents:
        answers = []
        for agent in agents:
            agent.reset(instruction="lift the cube", seed=4)
            action = agent.act(make_observation(0))
            answers.append(
                [
                    action,
                    agent.decide(make_observation(1)),
                    agent.plan(make_observation(2)),
                    agent.act(make_observation(3)),
                    agent.describe(),
                    agent.describe([make_observation(5)["front"], make_observation(6)["front"]]),
                    agent.ask("Is it up?", answers=["yes", "no"]),
                    agent.ask("What is this?", make_observation(7)),
                    agent.imagine(seed=1),
                    agent.judge(action),
                    agent.judge([[0.1, 0.2, 1.0], [0.0, 0.0, -1.0]], make_observation(8), threshold=0.2),
                ]
            )
        same(*answers)
        local, remote = agents
        result, judged = remote.decide(make_observation(0)), remote.judge(action)
        assert result.legal_mass > 0 and result.dimensions[0].entropy > 0 and judged.accepted in (True, False)
        assert remote.observation_keys == local.observation_keys == ["front", "hand", "state"]


def test_many_rows_with_their_own_seeds_and_resets() -> None:
    with both(make_checkpoint(make_format(chunk=2, history_frames=1)), temperature=1.0) as agents:
        found = []
        for agent in agents:
            agent.reset(np.array(["lift", "push", "turn"]), seed=[5, 6, 7])
            actions = [agent.act(batch([0, 1, 2])), agent.act(batch([3, 4, 5]))]
            agent.reset("drop", rows=np.array([False, True, False]))
            found.append(
                [*actions, agent.act(batch([6, 7, 8])), agent.decide(batch([6, 7, 8])), agent.judge([0, 0, 1], row=2)]
            )
        same(*found)
        assert found[1][0].shape == (3, 3)
        with pytest.raises(ObservationError, match="rows"):
            agents[1].act(batch([0, 1]))


def test_errors_are_those_of_home() -> None:
    with both(make_checkpoint(make_format(chunk=1)), abstain_below=1.0) as (local, remote):
        for agent in (local, remote):
            with pytest.raises(NotReset):
                agent.act(make_observation(0))
            agent.reset("lift")
            with pytest.raises(Abstained):
                agent.act(make_observation(0))
            with pytest.raises(CannotDo, match="draws no images"):
                agent.imagine()
            with pytest.raises(ActionError, match="outside"):
                agent.judge([5.0, 0.0, 1.0], make_observation(0))
            with pytest.raises(ObservationError, match="'fronty' looks like 'front'"):
                agent.act({"fronty": 0, **{k: v for k, v in make_observation(0).items() if k != "front"}})
            with pytest.raises(ObservationError, match="rows"):
                agent.reset(("a", "b"), rows=np.array([True]))
            with pytest.raises(TaskError):
                agent.ask("why " * 5000, make_observation(0))
        with pytest.raises(MessageError, match="answers: 300"):
            remote.ask("which?", make_observation(0), answers=["yes"] * 300)
        with pytest.raises(MessageError, match="seed"):
            remote.reset("lift", seed=2.5)


def test_a_client_has_only_so_many_rows() -> None:
    with both(make_checkpoint(make_format(chunk=1)), max_rows=2) as (local, remote):
        with pytest.raises(MessageError, match="3, but a client may have 2"):
            remote.reset(("a", "b", "c"))
        remote.reset("a")
        for verb in (remote.act, remote.decide, remote.plan):
            for form in (batch([0, 1, 2]), {key: list(value) for key, value in batch([0, 1, 2]).items()}):
                with pytest.raises(MessageError, match="3, but"):
                    verb(form)
        local.reset("a")
        same(local.act(batch([0, 1])), remote.act(batch([0, 1])))


def test_an_empty_batch_harms_nobody() -> None:
    policy = AgentPolicy(Agent(make_checkpoint(make_format(chunk=1))))
    states = [policy.open(), policy.open()]
    for state in states:
        policy.call(state, "reset", {"instruction": "a"})
    nothing = {key: value[:0] for key, value in batch([0]).items()}
    refused, action = policy.act(states, [nothing, make_observation(0)])
    assert isinstance(refused, ObservationError) and isinstance(action, np.ndarray)


def test_rows_are_counted_before_they_are_made() -> None:
    robot = dataclasses.replace(make_embodiment(), cameras=())
    policy = AgentPolicy(Agent(make_checkpoint(without_statistics(robot, chunk=1))))
    state = policy.open()
    policy.call(state, "reset", {"instruction": "a"})
    (refused,) = policy.act([state], [{"state": np.zeros((2**30, 0), np.float32)}])
    assert isinstance(refused, MessageError)


def test_goals_prompts_and_sound() -> None:
    pictures = make_checkpoint(make_format(chunk=1, goal_image=True, prompt_images=1, history_frames=1))
    goal = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    robot = dataclasses.replace(make_embodiment(), microphone=Microphone(rate=8000, channels=1))
    config = PolicyConfig(cameras=("front", "hand"), chunk=1, microphone=True, prompt_sounds=1)
    hearing = make_checkpoint(PolicyFormat(config, robot, make_statistics(robot), Vocabulary.default()))
    sound = np.sin(np.arange(16000) / 9).astype(np.float32)
    with both(pictures) as agents:
        found = []
        for agent in agents:
            agent.reset(["put", make_observation(9)["front"], "here"])
            found.append([agent.act({**make_observation(i), "goal": goal}) for i in range(2)])
        same(*found)
    with both(hearing) as agents:
        found = []
        for agent in agents:
            agent.reset((sound, 16000))
            seen = [{**make_observation(0), "microphone": m} for m in (sound, (sound[:4000], 16000))]
            found.append([agent.act(observation) for observation in seen])
        same(*found)


@pytest.mark.parametrize("make", [words, poses])
def test_words_and_plans_of_whole_episodes(make: Callable[[], PolicyFormat]) -> None:
    policy_format = make()
    with both(make_checkpoint(policy_format)) as agents:
        found = []
        for agent in agents:
            agent.reset(("go", "stop"))
            seen = [observation_of(policy_format, seed) for seed in range(2)]
            pair = {key: np.stack([one[key] for one in seen]) for key in seen[0]}
            result = agent.decide(pair)
            found.append([agent.plan(pair), agent.act(pair), result, [r.dimensions[0].word for r in result]])
        same(*found)
