"""Numbers, words and poses: one text in training and acting, and no network that writes anything else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embodio.agent import ActionError, Agent, AgentOptions, CheckpointError, PolicyFormat
from embodio.agent.format.grammar import Echo, Forced, Grammar, Stop, Word
from embodio.agent.planning.constrained import ConstrainedDecoder
from embodio.envs.embodiment import Dimension
from embodio.envs.errors import EmbodimentError
from embodio.model.inference.answer_reader import AnswerReader, DecoderWeights
from embodio.model.layers.token_sequence import TokenSequence
from embodio.model.network.batch import collate
from embodio.model.processing.processor import Processor
from embodio.model.tokens.vocabulary import EOS_ID
from tests.support.agent.policies import make_checkpoint
from tests.support.agent.robots import (
    STEERING,
    continuous,
    observation_of,
    poses,
    require_valid,
    walker,
    without_statistics,
    words,
)

KINDS = {"continuous": continuous, "words": words, "poses": poses}
FORMATS = {name: make() for name, make in KINDS.items()}
CHECKPOINTS = {name: make_checkpoint(made, seed=3) for name, made in FORMATS.items()}


@st.composite
def some_actions(draw: st.DrawFn, policy_format: PolicyFormat, count: int) -> np.ndarray:
    """Actions [count, A] that the robot can do."""
    rows = []
    for _ in range(count):
        row = []
        for d in policy_format.embodiment.action.dimensions:
            if d.kind == "word":
                row.append(float(draw(st.integers(0, len(d.words) - 1))))
            else:
                row.append(draw(st.sampled_from([d.low, d.high]) if d.kind == "binary" else st.floats(d.low, d.high)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_written_is_legal_and_read_back(kind: str, data: st.DataObject) -> None:
    policy_format = FORMATS[kind]
    longest = policy_format.chunk
    count = data.draw(st.integers(1, longest)) if policy_format.whole_episode else longest
    actions = data.draw(some_actions(policy_format, count))
    ids = policy_format.write(actions)
    assert policy_format.grammar().accepts(ids) and policy_format.grammar().accepts([*ids, EOS_ID])
    read = policy_format.actions(ids)
    assert read.shape == actions.shape
    for action in read:
        require_valid(policy_format, action)
    assert (np.abs(read - actions) <= policy_format.codec.resolution / 2 + 1e-4 * np.abs(actions) + 1e-6).all()
    assert policy_format.write(read) == ids
    window = [observation_of(policy_format)]
    assert policy_format.example(window, "go", actions).text_target == ids
    broken = list(ids)
    broken[data.draw(st.integers(0, len(ids) - 1))] = 2
    assert not policy_format.grammar().accepts(broken)
    with pytest.raises(ActionError):
        policy_format.actions(broken)
    with pytest.raises(ActionError):
        policy_format.actions(ids[: data.draw(st.integers(0, len(policy_format.write(actions[:1])) - 1))])


def test_poses_are_written_as_the_released_models_do() -> None:
    policy_format = FORMATS["poses"]
    shares = np.linspace(0, 1, 18).reshape(3, 6)
    for verb, (first, second) in enumerate((("pick", "place"), ("push", "push"))):
        low = np.array([d.low for d in policy_format.embodiment.action.dimensions[1:]])
        high = np.array([d.high for d in policy_format.embodiment.action.dimensions[1:]])
        actions = np.concatenate([np.full((3, 1), float(verb)), low + shares * (high - low)], axis=1)
        ids = policy_format.write(actions)
        vocabulary = policy_format.vocabulary
        spelled = vocabulary.decode(vocabulary.values_to_ids(shares).reshape(-1)).split()
        steps = [spelled[6 * step : 6 * step + 6] for step in range(len(shares))]
        text = " ".join(
            f"{number}: {first} from ( {' '.join(step[:3])} ) and {second} to ( {' '.join(step[3:])} )"
            for number, step in enumerate(steps, start=1)
        )
        assert ids == vocabulary.encode(text, parse_special=True) and vocabulary.decode(ids) == text
        back = (policy_format.actions(np.array(ids))[:, 1:] - low) / (high - low)
        np.testing.assert_allclose(back, shares, atol=0.5 / 999 + 1e-6)


def test_words_are_plain_text() -> None:
    policy_format = FORMATS["words"]
    ids = policy_format.write([[1.0], [4.0], [5.0]])
    assert policy_format.vocabulary.decode(ids) == "left , look down , stop"


@pytest.mark.filterwarnings("ignore:the network gave no finite numbers")
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_logits_give_valid_actions(kind: str, data: st.DataObject) -> None:
    """Whatever the network makes of the tokens: numbers of any size, infinite ones, none at all."""
    checkpoint = CHECKPOINTS[kind]
    policy_format, rows = checkpoint.format, data.draw(st.integers(1, 4))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 10_000)))
    special = data.draw(st.lists(st.sampled_from([0.0, 1e38, -1e38, np.inf, -np.inf, np.nan]), max_size=4))
    share = data.draw(st.sampled_from([0.0, 0.01, 0.3, 1.0]))

    class Adversary(AnswerReader):
        def read(self, tokens: torch.Tensor, valid: object = None, tree: object = None) -> torch.Tensor:
            hidden = super().read(tokens, valid, tree)  # type: ignore[arg-type]
            hidden = torch.randn(hidden.shape, generator=generator) * 10
            for value in special:
                hidden[torch.rand(hidden.shape, generator=generator) < share] = value
            return hidden

    weights = DecoderWeights(checkpoint.model)
    decoder = ConstrainedDecoder(weights, policy_format.grammar())
    encoded = TokenSequence(torch.randn(rows, 5, 128, generator=generator), torch.ones(1, 5, 16, dtype=torch.complex64))
    neutral = encoded if data.draw(st.booleans()) else None
    noise = None
    if data.draw(st.booleans()):
        noise = np.random.default_rng(0).random((rows, len(decoder.grammar.choices)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embodio.agent.planning.constrained.AnswerReader", Adversary)
        answer = decoder(encoded, noise, 0.7, neutral, 2.0)
    for ids, actions in zip(answer.ids, policy_format.action_text.actions(answer.choices), strict=True):
        assert policy_format.grammar().accepts(ids)
        assert 1 <= len(actions) <= policy_format.chunk
        np.testing.assert_array_equal(policy_format.actions(ids), actions)
        for action in actions:
            require_valid(policy_format, action)


@pytest.mark.filterwarnings("ignore:the network gave no finite numbers")
@pytest.mark.parametrize("how", ["random", "zero", "huge", "infinite", "not a number"])
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_any_weights_act_alike_in_rows_and_alone(make: Callable[[], PolicyFormat], how: str) -> None:
    checkpoint = make_checkpoint(make(), seed=8)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in checkpoint.model.parameters():
            if how == "zero":
                parameter.zero_()
            elif how == "huge":
                parameter.mul_(1e4)
            elif how in ("infinite", "not a number"):
                where = torch.rand(parameter.shape, generator=generator) < 0.01
                parameter[where] = float("inf" if how == "infinite" else "nan")
    together, alone = Agent(checkpoint, replan=1), [Agent(checkpoint, replan=1) for _ in range(3)]
    together.reset(instruction=("go on",) * 3)
    for agent in alone:
        agent.reset(instruction="go on")
    for step in range(2):
        seen = [observation_of(checkpoint.format, 3 * step + row) for row in range(3)]
        actions = together.act({key: np.stack([s[key] for s in seen]) for key in seen[0]})
        for row, agent in enumerate(alone):
            require_valid(checkpoint.format, actions[row])
            np.testing.assert_array_equal(actions[row], agent.act(seen[row]))


@pytest.mark.parametrize("kind", ["words", "poses"])
def test_decoding_agrees_with_one_plain_pass_over_every_answer(kind: str) -> None:
    """The tree of words, and the columns that shorter words leave, change nothing: teacher forcing gives the same."""
    checkpoint = CHECKPOINTS[kind]
    policy_format, model = checkpoint.format, checkpoint.model
    example = policy_format.example([observation_of(policy_format)], "go")
    batch = collate([Processor(model.config, policy_format.vocabulary)(example)])
    grammar = policy_format.grammar()
    with torch.inference_mode():
        encoded = model.encode(batch)
    decoder = ConstrainedDecoder(DecoderWeights(model), grammar)

    def log_probabilities(tokens: list[int]) -> torch.Tensor:
        with torch.inference_mode():
            state = model.start_decoding(encoded, len(tokens) + 1)
            return model.decode_step(state, torch.tensor([[0, *tokens]]))[0].double().log_softmax(-1)

    generator = np.random.default_rng(0)
    for _ in range(3):
        widths = [len(getattr(c, "ids", getattr(c, "spellings", "no"))) for c in grammar.choices]
        given = np.array(
            [
                [1 if isinstance(c, Stop) else generator.integers(n)]
                for c, n in zip(grammar.choices, widths, strict=True)
            ]
        )
        answer = decoder(encoded, given=given.T)
        np.testing.assert_array_equal(answer.choices, given.T)
        table = log_probabilities(answer.ids[0].tolist())
        with torch.inference_mode():
            for hidden, place in zip(answer.hidden, places(grammar, answer.choices[0]), strict=True):
                found = torch.nn.functional.linear(hidden[0, 0], model.table("text")).double().log_softmax(-1)
                np.testing.assert_allclose(found.numpy(), table[place].numpy(), atol=2e-4)


def places(grammar: Grammar, choices: np.ndarray) -> list[int]:
    """How many tokens stand before each choice."""
    found, place, index = [], 0, 0
    for part in grammar.parts:
        if isinstance(part, Forced):
            place += len(part.ids)
        elif isinstance(part, Echo):
            place += len(part.spellings[choices[part.of]])
        else:
            found.append(place)
            place += len(part.spellings[choices[index]]) if isinstance(part, Word) else 1
            index += 1
    return found


def test_a_word_is_as_probable_as_its_text() -> None:
    checkpoint = CHECKPOINTS["words"]
    policy_format, model = checkpoint.format, checkpoint.model
    agent = Agent(checkpoint, replan=3)
    agent.reset(instruction="go")
    result = agent.decide(observation_of(policy_format))
    batch = collate([Processor(model.config, policy_format.vocabulary)(agent.example())])
    with torch.inference_mode():
        encoded, scores = model.encode(batch), []
        for word in policy_format.codec.spellings[0]:
            state = model.start_decoding(encoded, len(word))
            steps = model.decode_step(state, torch.tensor([[0, *word[:-1]]]))[0].double().log_softmax(-1)
            scores.append(float(sum(steps[i, token] for i, token in enumerate(word))))
    weights = np.exp(scores)
    np.testing.assert_allclose(result.dimensions[0].probabilities, weights / weights.sum(), atol=1e-5)
    assert result.dimensions[0].legal_mass == pytest.approx(weights.sum(), rel=1e-3)
    assert result.dimensions[0].word == STEERING[int(weights.argmax())]


def test_plans_end_where_the_network_ends_them() -> None:
    policy_format = poses(chunk=3)
    checkpoint = make_checkpoint(policy_format, seed=1)
    agent = Agent(checkpoint)
    assert agent.replan == 3
    ends, goes_on = {}, policy_format.grammar().choices[7].go_on
    table = checkpoint.model.text_embedding.weight
    for favoured in (EOS_ID, goes_on):
        with torch.no_grad():
            kept = table[favoured].clone()
            table[favoured] = 0
        agent.reset(instruction="go")
        plan = agent.plan(observation_of(policy_format))
        ends[favoured] = len(plan)
        agent.reset(instruction="go")
        np.testing.assert_array_equal(plan, [agent.act(observation_of(policy_format)) for _ in plan])
        assert agent.sessions[0].needs_plan
        with torch.no_grad():
            table[favoured] = kept
    assert all(1 <= length <= 3 for length in ends.values())
    agent.reset(instruction=("go", "push"))
    seen = [observation_of(policy_format, seed) for seed in range(2)]
    plans = agent.plan({key: np.stack([s[key] for s in seen]) for key in seen[0]})
    assert isinstance(plans, list)
    for row, instruction in enumerate(("go", "push")):
        alone = Agent(checkpoint)
        alone.reset(instruction=instruction)
        np.testing.assert_array_equal(alone.plan(seen[row]), plans[row])


@pytest.mark.parametrize("favour", ["end", "go on"])
def test_a_row_that_has_ended_does_not_disturb_the_others(favour: str) -> None:
    policy_format = poses(chunk=3)
    decoder = ConstrainedDecoder(DecoderWeights(make_checkpoint(policy_format, seed=1).model), policy_format.grammar())
    encoded = TokenSequence(torch.randn(2, 5, 128), torch.ones(1, 5, 16, dtype=torch.complex64))
    several = decoder.grammar.choices
    given = np.zeros((2, len(several)), dtype=np.int64)
    given[1, [7, 15]] = 1
    given[0, 7] = int(favour == "go on")
    lengths = [len(actions) for actions in policy_format.action_text.actions(decoder(encoded, given=given).choices)]
    assert lengths == [2 if favour == "go on" else 1, 3]


def test_an_ensemble_of_words_is_a_vote() -> None:
    agent = Agent(CHECKPOINTS["words"], options=AgentOptions(replan=1, ensemble=0.0))
    agent.reset(instruction="go")
    chunks = []
    for step in range(3):
        result = agent.decide(observation_of(agent.format, step))
        chunks.append(result.chunk[:, 0])
        votes = [chunks[begin][step - begin] for begin in range(step + 1)]
        counts = {word: votes.count(word) for word in votes}
        assert counts[float(result.action[0])] == max(counts.values())


def test_senseless_texts_and_words_are_refused() -> None:
    with pytest.raises(CheckpointError, match="exactly once"):
        poses(action_text="{step}: {verb}")
    with pytest.raises(CheckpointError, match=r"there is no \{height"):
        poses(action_text="{height}")
    with pytest.raises(CheckpointError, match="one word for each"):
        words(action_text="{move} {move|a|b}")
    with pytest.raises(CheckpointError, match="comes before"):
        words(action_text="{move|a|b|c|d|e|f} {move}")
    with pytest.raises(CheckpointError, match="whole_episode: set a separator"):
        words(separator="", whole_episode=True)
    with pytest.raises(ActionError, match="move is the place of none of its words"):
        FORMATS["words"].write([[1.5]])
    robot = walker()
    clash = Dimension.of_words("move", ("turn", "turn left"))
    action = type(robot.action)((clash,), "delta", "base", "none", "none", "test")
    with pytest.raises(ActionError, match="begins the one with"):
        without_statistics(type(robot)("clash", action, (), robot.cameras, None, 1.0))
    for wrong in (("stop",), ("go", "go"), ("go", " ")):
        with pytest.raises(EmbodimentError, match="different words"):
            Dimension.of_words("move", wrong)
    with pytest.raises(EmbodimentError, match="go together"):
        Dimension("move", "", 0.0, 1.0, "word")
