"""Distributions, ensembles, guidance, abstaining, plan mode, separators, checking of observations, precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.agent import Agent, AgentError, Checkpoint, ObservationError, PolicyConfig
from embodio.agent.answers import ActionResult
from embodio.agent.errors import Abstained
from embodio.agent.format.grammar import Grammar
from embodio.agent.options import AgentOptions
from embodio.agent.planning.constrained import ConstrainedDecoder
from embodio.model.inference.answer_reader import DecoderWeights
from embodio.model.layers.token_sequence import TokenSequence
from tests.support.agent.policies import make_checkpoint, make_format, make_observation


def started(checkpoint: Checkpoint, **options: object) -> Agent:
    agent = Agent(checkpoint, options=AgentOptions(**options))  # type: ignore[arg-type]
    agent.reset(instruction="lift the cube")
    return agent


def decided(agent: Agent, seed: int = 0) -> ActionResult:
    result = agent.decide(make_observation(seed))
    assert isinstance(result, ActionResult)
    return result


def test_distributions_belong_to_the_action(checkpoint: Checkpoint) -> None:
    agent, plain = started(checkpoint, replan=3), started(checkpoint, replan=3)
    for step in range(4):
        result = decided(agent, step)
        np.testing.assert_array_equal(result.action, plain.act(make_observation(step)))
        assert result.position == step % 3
        assert ("decode" in result.milliseconds) == (step % 3 == 0)
        for number, dimension in zip(result.action, result.dimensions, strict=True):
            assert dimension.probabilities.sum() == pytest.approx(1.0)
            assert dimension.sample == pytest.approx(float(number))
            assert dimension.mode == pytest.approx(float(number))
            assert dimension.values[0] <= dimension.mean <= dimension.values[-1]
            assert 0 <= dimension.entropy <= np.log(len(dimension.values)) + 1e-9
            assert 0 < dimension.legal_mass <= 1
        assert result.log_probability <= 0
    assert agent.latency()["decode"]["count"] == 2


def test_legal_mass_and_abstaining(checkpoint: Checkpoint) -> None:
    mass = decided(started(checkpoint)).legal_mass
    sure, unsure = started(checkpoint, abstain_below=mass / 2), started(checkpoint, abstain_below=min(1, 2 * mass))
    sure.act(make_observation(0))
    with pytest.raises(Abstained, match="legal mass below"):
        unsure.act(make_observation(0))
    assert decided(started(checkpoint, abstain_below=min(1, 2 * mass))).abstained


def test_times_are_of_the_call_itself(checkpoint: Checkpoint) -> None:
    agent = started(checkpoint, replan=2)
    action = decided(agent, 0).action
    agent.judge(action)
    assert set(decided(agent, 1).milliseconds) == {"total"}


def test_an_ensemble_averages_what_covers_a_step(checkpoint: Checkpoint) -> None:
    agent = started(checkpoint, replan=1, ensemble=0.5)
    chunks = []
    for step in range(4):
        result = decided(agent, step)
        chunks.append(result.chunk)
        covering = [chunks[i][step - i] for i in range(step + 1) if step - i < 3]
        weights = np.exp(-0.5 * np.arange(len(covering)))
        mean = (weights / weights.sum()) @ np.stack(covering)
        np.testing.assert_allclose(result.action[:2], mean[:2], atol=1e-6)
        assert result.action[2] in (-1.0, 1.0)


def test_plan_mode_gives_the_whole_chunk(checkpoint: Checkpoint) -> None:
    whole = started(checkpoint, replan=1).plan(make_observation(0))
    step_by_step = started(checkpoint, replan=3)
    np.testing.assert_array_equal(whole, [step_by_step.act(make_observation(0)) for _ in range(3)])


def test_guidance_moves_away_from_the_neutral_instruction(checkpoint: Checkpoint) -> None:
    off, on = decided(started(checkpoint)), decided(started(checkpoint, guidance=5.0))
    same = decided(started(checkpoint, guidance=5.0, neutral="lift the cube"))
    np.testing.assert_allclose(same.dimensions[0].probabilities, off.dimensions[0].probabilities, atol=1e-4)
    assert np.abs(on.dimensions[0].probabilities - off.dimensions[0].probabilities).max() > 1e-4


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_network_writes_what_the_grammar_allows(checkpoint: Checkpoint, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 5))
    sizes = data.draw(st.lists(st.sampled_from([1, 1, 2, 7]), min_size=1, max_size=8))
    generator = np.random.default_rng(data.draw(st.integers(0, 999)))
    grammar = Grammar.of_ids([generator.choice(1500, size, replace=False).astype(np.int64) for size in sizes])
    torch.manual_seed(0)
    scale = data.draw(st.sampled_from([0.0, 1.0, 1e4, float("nan"), float("inf")]))
    encoded = TokenSequence(torch.randn(rows, 9, 128) * scale, torch.ones(1, 9, 16, dtype=torch.complex64))
    noise = None if data.draw(st.booleans()) else generator.random((rows, len(grammar.choices)))
    answer = ConstrainedDecoder(DecoderWeights(checkpoint.model), grammar)(encoded, noise)
    assert all(grammar.accepts(ids) for ids in answer.ids)


def test_forced_tokens_cost_no_step_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = make_checkpoint(make_format(chunk=3, separator=" then"))
    policy_format = checkpoint.format
    between = len(policy_format.vocabulary.encode("then"))
    assert policy_format.grammar().length == 3 * 3 + 2 * between
    steps = []
    from embodio.model.inference.answer_reader import AnswerReader

    read = AnswerReader.read
    monkeypatch.setattr(
        AnswerReader, "read", lambda self, tokens, *rest: steps.append(tokens.shape[1]) or read(self, tokens, *rest)
    )
    agent = Agent(checkpoint, replan=3)
    agent.reset(instruction="lift")
    agent.act(make_observation(0))
    assert len(steps) == 9 and max(steps) == 1 + between
    actions = np.zeros((3, 3))
    target = policy_format.example([make_observation(0)], "lift", actions).text_target
    np.testing.assert_allclose(policy_format.actions(target)[:, 0], 0.0, atol=1e-6)


def test_images_in_other_forms_are_the_same_images(checkpoint: Checkpoint) -> None:
    plain = make_observation(1)
    expected = started(checkpoint).act(plain)
    front = np.asarray(plain["front"])
    for other in (front.transpose(2, 0, 1), front / 255.0, (front / 255.0).astype(np.float32)):
        np.testing.assert_array_equal(started(checkpoint).act(plain | {"front": other}), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"front": np.full((128, 128, 3), np.nan, np.float32)}, "front: float pixels .* NaN"),
        ({"front": np.full((128, 128, 3), 7.0, np.float32)}, r"front: float pixels must lie in \[0, 1\], found 7"),
        ({"state": np.array([900.0, 0.0], np.float32)}, "state: height is 900, far outside 0 to 2 m"),
    ],
)
def test_ranges_are_checked(checkpoint: Checkpoint, change: dict[str, object], message: str) -> None:
    with pytest.raises(ObservationError, match=message):
        started(checkpoint).act(make_observation() | change)


def test_a_wrong_key_is_named_with_its_neighbour(checkpoint: Checkpoint) -> None:
    observation = make_observation()
    observation["fornt"] = observation.pop("front")
    with pytest.raises(ObservationError, match=r"'fornt' looks like 'front'.*this policy reads front uint8"):
        started(checkpoint).act(observation)


def test_goal_and_prompt_images_reach_their_slots() -> None:
    checkpoint = make_checkpoint(make_format(chunk=1, goal_image=True, prompt_images=1, history_frames=1))
    agent = Agent(checkpoint)
    picture = np.full((40, 30, 3), 200, np.uint8)
    agent.reset(instruction=["put", picture, "into the box"])
    goal = np.full((20, 20, 3), 90, np.uint8)
    for seed in range(2):
        assert np.isfinite(agent.act(make_observation(seed) | {"goal": goal})).all()
    example = agent.example()
    np.testing.assert_array_equal(example.image_history[0], goal)
    np.testing.assert_array_equal(example.image_history[1], picture)
    assert checkpoint.format.vocabulary.image_history_id(2) in list(example.text)
    with pytest.raises(ObservationError, match="goal"):
        agent.act(make_observation(0))
    with pytest.raises(ObservationError, match="2 images, but there are slots for 1"):
        agent.reset(instruction=[picture, picture // 2])


def test_policies_of_the_first_version_load() -> None:
    values = PolicyConfig(cameras=("front",)).to_dict()
    for name in ("separator", "goal_image", "prompt_images", "microphone"):
        del values[name]
    assert PolicyConfig.from_dict(values) == PolicyConfig(cameras=("front",))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_faster_weights_are_near_float32(checkpoint: Checkpoint, precision: str) -> None:
    plain, fast = started(checkpoint), started(checkpoint, precision=precision)
    pairs = zip(decided(plain).dimensions, decided(fast).dimensions, strict=True)
    first, second = next(pairs)
    assert np.abs(first.probabilities - second.probabilities).sum() < 0.2


def test_options_are_checked() -> None:
    for change in ({"temperature": -1.0}, {"guidance": float("nan")}, {"abstain_below": 2.0}, {"precision": "int4"}):
        with pytest.raises(AgentError, match=next(iter(change))):
            AgentOptions(**change)  # type: ignore[arg-type]
