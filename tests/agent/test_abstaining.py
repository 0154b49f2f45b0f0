"""Abstaining: an answer may be "no", which the grammar reads, the agent refuses to play, and clients are told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.agent import Abstained, ActionError, ActionResult, Agent, AgentOptions, Checkpoint, Declined
from embodio.agent.client import RemoteAgent
from embodio.agent.format.grammar import Able, Grammar
from embodio.agent.serving.agent_policy import AgentPolicy
from embodio.agent.serving.background import serving
from embodio.agent.serving.settings import ServerSettings
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.agent.policies import make_checkpoint, make_format, make_observation
from tests.support.agent.robots import continuous, observation_of, poses, words

FORMATS = {make.__name__: make(abstains=True) for make in (continuous, words, poses)}


def drawn(kind: str, data: st.DataObject) -> np.ndarray:
    dimensions = FORMATS[kind].embodiment.action.dimensions
    shares = np.array(
        [[data.draw(st.sampled_from([0.0, 1.0])) for _ in dimensions] for _ in range(FORMATS[kind].chunk)]
    )
    low, high = (np.array([getattr(d, end) for d in dimensions]) for end in ("low", "high"))
    return low + shares * (high - low)


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_answers_begin_with_yes_or_are_no(kind: str, data: st.DataObject) -> None:
    policy_format, actions = FORMATS[kind], drawn(kind, data)
    window, vocabulary, grammar = [observation_of(policy_format)], policy_format.vocabulary, policy_format.grammar()
    yes = policy_format.example(window, "go", actions).text_target
    no = policy_format.example(window, "go", actions[:0]).text_target
    assert yes == [*vocabulary.encode("yes"), *policy_format.write(actions)] and no == vocabulary.encode("no")
    for ids in (yes, no):
        choices = grammar.parse([*ids, EOS_ID])
        assert grammar.write(choices).tolist() == ids and choices[0] == (ids == yes)
        cut = ids[: data.draw(st.integers(0, len(ids) - 1))]
        if not policy_format.whole_episode or len(cut) < 2:  # whole episodes may end after any action
            assert not grammar.accepts(cut)
    np.testing.assert_allclose(policy_format.actions(yes), actions, atol=1e-5)
    assert policy_format.actions(no).shape == (0, actions.shape[1])
    with pytest.raises(ActionError, match="begins with 'yes'"):
        policy_format.actions(policy_format.write(actions))


def test_a_policy_that_cannot_abstain_refuses_the_example() -> None:
    with pytest.raises(ActionError, match="actions: expected"):
        continuous().example([observation_of(continuous())], "go", np.zeros((0, 3)))
    with pytest.raises(ActionError, match="different first tokens"):
        Grammar((Able((5, 6), (5, 7)),))


def biased(answer: str) -> Checkpoint:
    """A random network that gives one of the two answers for what it sees first."""
    checkpoint = make_checkpoint(make_format(chunk=3, abstains=True))
    agent = Agent(checkpoint)
    agent.reset("lift the cube")
    agent.decide(make_observation(0))
    hidden = agent.sessions[0].newest[0].answer.hidden[0][0, 0]
    other = "yes" if answer == "no" else "no"
    encode = checkpoint.format.vocabulary.encode
    with torch.no_grad():
        checkpoint.model.text_embedding.weight[encode(answer)[0]] = hidden
        checkpoint.model.text_embedding.weight[encode(other)[0]] = -hidden
    return checkpoint


def result_of(agent: Agent, seed: int = 0) -> ActionResult:
    result = agent.decide(make_observation(seed))
    assert isinstance(result, ActionResult)
    return result


def test_act_and_plan_refuse_what_decide_explains() -> None:
    agent = Agent(biased("no"))
    agent.reset("lift the cube")
    for _ in range(2):
        with pytest.raises(Declined, match=r"act: rows \[0\] were asked for 'lift the cube'.*another instruction"):
            agent.act(make_observation(0))
    with pytest.raises(Abstained, match=r"plan: rows \[0\]"):
        agent.plan(make_observation(0))
    assert agent.sessions[0].step == 0 and not agent.sessions[0].window, "a refused step leaves no trace"
    result = result_of(agent)
    assert result.abstained and result.able < 0.5 and np.isfinite(result.action).all()


def test_yes_acts_as_the_answer_says() -> None:
    agent = Agent(biased("yes"))
    agent.reset("lift the cube")
    result = result_of(agent)
    assert not result.abstained and result.able > 0.5
    agent.reset()
    np.testing.assert_array_equal(agent.act(make_observation(0)), result.action)
    judged = agent.judge(result.action, make_observation(0))
    assert judged.typicality > 0.99, "what it would do is what it judges typical"
    assert Agent(make_checkpoint(make_format(chunk=3))).may_abstain is False


def test_a_policy_without_the_option_is_always_able() -> None:
    agent = Agent(make_checkpoint(make_format(chunk=3)))
    agent.reset("lift the cube")
    assert result_of(agent).able == 1.0


def test_rows_decline_alone_and_are_all_restored() -> None:
    agent = Agent(biased("no"), options=AgentOptions(replan=1))
    agent.reset(("lift the cube", "lift the cube"))
    rows = [make_observation(seed) for seed in (0, 0)]
    seen = {key: np.stack([row[key] for row in rows]) for key in ("front", "hand", "state")}  # type: ignore[arg-type]
    with pytest.raises(Declined, match=r"rows \[0, 1\]"):
        agent.act(seen)
    assert all(not session.window for session in agent.sessions)


def test_a_client_is_told() -> None:
    with serving(AgentPolicy(Agent(biased("no"))), ServerSettings(port=0)) as url, RemoteAgent(url) as remote:
        remote.reset(instruction="lift the cube")
        with pytest.raises(Declined, match="cannot be done"):
            remote.act(make_observation(0))
        result = remote.decide(make_observation(0))
        assert isinstance(result, ActionResult) and result.abstained and result.able < 0.5
