"""Describe, ask, imagine and judge: answers of the same network, errors that name the remedy, acting undisturbed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from embodio.agent import (
    ActionError,
    Agent,
    AgentError,
    AgentOptions,
    CannotDo,
    Checkpoint,
    ImaginedGoals,
    NotReset,
    ObservationError,
    load_checkpoint,
    save_checkpoint,
)
from embodio.model.generation import score_answers
from embodio.model.network.batch import collate
from embodio.model.processing.processor import Processor
from tests.support.agent.artists import artist
from tests.support.agent.policies import make_checkpoint, make_format, make_observation


def started(checkpoint: Checkpoint, **options: object) -> Agent:
    agent = Agent(checkpoint, options=AgentOptions(**options))  # type: ignore[arg-type]
    agent.reset(instruction="lift the cube", seed=3)
    return agent


def test_the_same_object_describes_answers_imagines_and_judges() -> None:
    agent = started(artist())
    seen = make_observation(0)
    action = agent.act(seen)
    described = agent.describe()
    image = agent.format.image(seen)
    assert described.text == agent.describe(image).text == agent.describe([image.transpose(2, 0, 1)]).text
    assert agent.describe([image, make_observation(1)["front"]]).log_probability < 0
    answer = agent.ask("Is the cube on the table?", answers=["yes", "no"])
    assert answer.text in ("yes", "no")
    assert agent.ask("What is this?", seen).text == agent.ask("What is this?").text
    goal = agent.imagine(seed=1)
    assert goal.dtype == np.uint8 and goal.shape == image.shape
    np.testing.assert_array_equal(goal, agent.imagine("lift the cube", seen, seed=1))
    assert (goal != agent.imagine(seed=2)).any()
    own = agent.judge(action)
    assert own.accepted and own.typicality == pytest.approx(1, abs=1e-5)
    assert [d.sample for d in own.dimensions] == pytest.approx(action.tolist(), abs=1e-6)


def test_judging_is_the_score_of_the_answer_among_legal_ones() -> None:
    agent = started(artist(separator=" ;"))
    chunk = np.array([[0.5, -0.1, 1.0], [-0.25, 1.5, -1.0]], np.float32)
    judged = agent.judge(chunk, make_observation(4))
    policy_format, model = agent.format, agent.model
    example = policy_format.example([make_observation(4)], "lift the cube", chunk)
    ids = example.text_target
    assert isinstance(ids, list)
    batch = collate([Processor(model.config, policy_format.vocabulary)(dataclasses.replace(example, text_target=None))])
    loss = float(score_answers(model, batch, [[ids]]).losses[0, 0])
    with torch.inference_mode():
        state = model.start_decoding(model.encode(batch), len(ids) + 1)
        losses = -model.decode_step(state, torch.tensor([[0, *ids]]))[0].double().log_softmax(-1)
    separators = range(3, 3 + len(policy_format.vocabulary.encode(";")))
    with_separators = float(losses[len(ids), 1]) + sum(float(losses[i, ids[i]]) for i in separators)
    assert separators
    expected = with_separators - loss
    found = judged.log_probability + sum(np.log(d.legal_mass) for d in judged.dimensions)
    assert found == pytest.approx(expected, abs=1e-3)
    assert judged.probability == pytest.approx(np.exp(judged.log_probability))


def test_judging_agrees_with_decide_and_refuses_the_least_probable() -> None:
    agent = started(artist())
    result = agent.decide(make_observation(0))
    worst = [d.values[d.probabilities.argmin()] for d in result.dimensions]
    first = agent.judge(result.action)
    assert first.log_probability == pytest.approx(result.log_probability, abs=1e-4)
    judged = agent.judge([worst[0], result.action[1], result.action[2]], threshold=0.9)
    assert not judged.accepted and judged.log_probability < first.log_probability


@pytest.mark.parametrize("changes", [{}, {"history_frames": 1}, {"goal_image": True}], ids=str)
def test_acting_is_not_disturbed(changes: dict[str, object]) -> None:
    checkpoint = artist(**changes)
    alone, asked = (started(checkpoint, temperature=1.0, replan=1) for _ in range(2))
    torch_state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
    for step in range(3):
        seen = make_observation(step) | {"goal": make_observation(9)["front"]}
        expected = alone.act(seen)
        if step:
            other = make_observation(50 + step) | {"goal": make_observation(8)["hand"]}
            asked.describe()
            asked.describe(other["front"])
            asked.ask("What is this?", other)
            asked.imagine("push it", other)
            asked.judge(expected, other)
            asked.judge(expected)
            if step == 2:
                assert asked.judge(expected, seen).log_probability != asked.judge(expected, other).log_probability
        np.testing.assert_array_equal(expected, asked.act(seen))
    assert torch.equal(torch_state, torch.random.get_rng_state())
    assert numpy_state == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert asked.sessions[0].random.bit_generator.state == alone.sessions[0].random.bit_generator.state


def test_judging_ahead_sees_what_act_would_see() -> None:
    agent = started(artist(history_frames=1))
    agent.act(make_observation(0))
    agent.act(make_observation(1))
    ahead = agent.judge([0.0, 0.5, 1.0], make_observation(2))
    agent.act(make_observation(2))
    assert ahead.log_probability == agent.judge([0.0, 0.5, 1.0]).log_probability


def test_a_checkpoint_that_cannot_draw_says_so(tmp_path: Path) -> None:
    agent = Agent(load_checkpoint("lift-nano"))
    agent.reset(instruction="lift the cube")
    with pytest.raises(CannotDo, match="tokenizers=True"):
        agent.imagine("lift the cube")
    with pytest.raises(CannotDo, match="reads 1"):
        agent.describe([np.zeros((8, 8, 3), np.uint8)] * 2)
    frames = {camera.name: np.zeros((camera.height, camera.width, 3), np.uint8) for camera in agent.format.cameras}
    assert agent.ask("Is the cube there?", frames, answers=["yes", "no"]).text in ("yes", "no")
    saved = save_checkpoint(tmp_path / "artist", artist().model, artist().format)
    seen = make_observation(0)
    np.testing.assert_array_equal(Agent.load(saved).imagine("go", seen), Agent(artist()).imagine("go", seen))


def test_errors_name_what_is_wrong() -> None:
    agent = Agent(artist())
    seen = make_observation(0)
    with pytest.raises(NotReset, match="instruction"):
        agent.judge([0, 0, 1], seen)
    with pytest.raises(NotReset, match="instruction"):
        agent.imagine(None, seen)
    shown = Agent(artist(prompt_images=1))
    shown.reset(instruction=["put it on", np.zeros((8, 8, 3), np.uint8)])
    with pytest.raises(ObservationError, match="this episode was told by sounds or images; give it in words here"):
        shown.imagine(None, seen)
    agent.reset(instruction="lift")
    for call in (agent.describe, lambda: agent.ask("what?"), agent.imagine, lambda: agent.judge([0, 0, 1])):
        with pytest.raises(NotReset, match="nothing was observed"):
            call()
    for frames in ([], "photo", np.zeros((4, 4)), [np.zeros((4, 4, 4), np.uint8)], [np.full((4, 4, 3), 7.0)]):
        with pytest.raises(ObservationError, match="frames"):
            agent.describe(frames)
    with pytest.raises(ObservationError, match="question"):
        agent.ask(" ", seen)
    with pytest.raises(ObservationError, match="front"):
        agent.ask("what?", {"hand": seen["hand"]})
    with pytest.raises(ObservationError, match="row: got 4"):
        agent.describe(row=4)
    for action in ([0, 0], [np.nan, 0, 1], [3, 0, 1], [[0, 0, 1]] * 3, "up"):
        with pytest.raises(ActionError, match="action"):
            agent.judge(action, seen)
    with pytest.raises(ObservationError, match="threshold"):
        agent.judge([0, 0, 1], seen, threshold=2)


def test_imagined_goals_come_at_a_lower_rate() -> None:
    checkpoint = artist(goal_image=True)
    agent = ImaginedGoals(Agent(checkpoint, replan=2), every=2)
    agent.reset(instruction="lift the cube", seed=4)
    goals, actions = [], []
    for step in range(6):
        actions.append(agent.act(make_observation(step)))
        goals.append(agent.goals[0])
    assert all(goal is goals[0] for goal in goals[:4]) and goals[4] is not goals[0] and goals[5] is goals[4]
    by_hand = Agent(checkpoint, replan=2)
    by_hand.reset(instruction="lift the cube")
    np.testing.assert_array_equal(goals[0], by_hand.imagine(None, make_observation(0), seed=4))
    for step, expected in enumerate(actions):
        np.testing.assert_array_equal(expected, by_hand.act(make_observation(step) | {"goal": goals[step]}))
    agent.reset()
    np.testing.assert_array_equal(actions[0], agent.act(make_observation(0)))


def test_imagined_goals_of_rows_are_those_of_each_alone() -> None:
    checkpoint = artist(goal_image=True)
    rows = ImaginedGoals(Agent(checkpoint, replan=1), every=2)
    rows.reset(instruction=("lift the cube", "push it"), seed=[6, 9])
    alone = [ImaginedGoals(Agent(checkpoint, replan=1), every=2) for _ in range(2)]
    for agent, words, seed in zip(alone, ("lift the cube", "push it"), (6, 9), strict=True):
        agent.reset(instruction=words, seed=seed)
    for step in range(3):
        parts = [make_observation(10 * step + row) for row in range(2)]
        batch = {key: np.stack([part[key] for part in parts]) for key in ("front", "hand", "state")}
        if step == 2:
            rows.reset(rows=np.array([False, True]))
            alone[1].reset()
        together = rows.act(batch)
        for row in range(2):
            np.testing.assert_array_equal(together[row], alone[row].act(parts[row]))
    with pytest.raises(ObservationError, match="1 rows were given"):
        rows.act(make_observation(0))


def test_imagined_goals_are_not_cut_again() -> None:
    agent = ImaginedGoals(Agent(artist(goal_image=True, view=0.5)), every=2)
    agent.reset(instruction="lift", seed=1)
    goals = []
    for step in range(4):
        agent.act(make_observation(step))
        np.testing.assert_array_equal(agent.agent.example().image_history[0], agent.goals[0])
        goals.append(agent.goals[0])
    assert (goals[0] != goals[3]).any()
    plain = Agent(artist(goal_image=True, view=0.5))
    plain.reset(instruction="lift", seed=1)
    agent.agent.reset(instruction="lift")
    given = make_observation(0) | {"goal": goals[0]}
    np.testing.assert_array_equal(agent.agent.act(given), plain.act(given))  # a reset forgets what was imagined
    assert (plain.example().image_history[0] != goals[0]).any()


def test_imagined_goals_need_a_policy_that_reads_them() -> None:
    with pytest.raises(CannotDo, match="goal_image"):
        ImaginedGoals(Agent(artist()))
    with pytest.raises(AgentError, match="every"):
        ImaginedGoals(Agent(artist(goal_image=True)), every=0)
    blind = ImaginedGoals(Agent(make_checkpoint(make_format(goal_image=True))))
    blind.reset(instruction="lift")
    with pytest.raises(CannotDo, match="imagine"):
        blind.act(make_observation(0))
