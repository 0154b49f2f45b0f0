"""What the released networks read and write, as literal texts and numbers of the paper and the reference."""

from __future__ import annotations

import re

import numpy as np
import pytest

from embodio.agent import PolicyFormat
from embodio.agent.errors import CheckpointError
from embodio.agent.released.loading import released_format
from embodio.agent.released.robots import ROBOTS, released_robot
from embodio.envs.embodiment import Dimension
from embodio.envs.planar_poses import quaternions_of
from embodio.envs.vima.robot import from_action
from embodio.model.tokens.vocabulary import Vocabulary

VOCABULARY = Vocabulary.default()
STEP = re.compile(
    r"(\d+): (pick|push) from \( <extra_id_(\d+)> <extra_id_(\d+)> <extra_id_(\d+)> \) "
    r"and (place|push) to \( <extra_id_(\d+)> <extra_id_(\d+)> <extra_id_(\d+)> \)"
)
"""A step of a plan as the reference's parser reads it."""
PICK = [0.0, 0.5, 0.1, 90.0, 0.25, -0.5, 0.0]
PUSH = [1.0, 0.75, 0.5, 360.0, 0.3, 0.0, 150.0]


def form(name: str, **changes: object) -> PolicyFormat:
    return released_format(released_robot(name), VOCABULARY, **changes)


def moment(policy_format: PolicyFormat, **given: object) -> dict[str, object]:
    size = len(policy_format.embodiment.action.dimensions)
    return {"state": None, "previous_actions": np.zeros((0, size)), "history": []} | given


def test_every_file_is_a_robot() -> None:
    assert sorted(ROBOTS) == ["bridge", "franka_kitchen", "language_table", "pointnav", "vima"]
    for robot in ROBOTS.values():
        assert robot.about and robot.embodiment.cameras[0].name == robot.cameras[0] == robot.policy.cameras[0]
        assert robot.policy.action_bins == 1000 and robot.policy.value_rounding == "trunc"
    with pytest.raises(CheckpointError, match=r"'brige' is unknown; did you mean 'bridge'\? .*know bridge, franka"):
        released_robot("brige")


@pytest.mark.parametrize("name", sorted(ROBOTS))
def test_prompts_are_the_tokens_that_the_references_tokeniser_makes_of_their_text(name: str) -> None:
    policy_format = form(name)
    robot = policy_format.embodiment
    state, low = np.linspace(-40, 40, len(robot.state)), np.array([d.low for d in robot.action.dimensions])
    seen = moment(policy_format, state=state, previous_actions=[low] * 4, history=[{"state": state, "action": low}] * 4)
    ids = VOCABULARY.encode(policy_format.prompt(seen, "go to the red block."))
    assert VOCABULARY.encode(VOCABULARY.decode(ids), parse_special=True) == ids
    answer = policy_format.write(np.stack([low] * policy_format.chunk))
    assert VOCABULARY.encode(VOCABULARY.decode(answer), parse_special=True) == answer
    assert len(ids) < 512 and policy_format.answer_length() < 512


def test_a_plan_is_the_grammar_of_the_reference() -> None:
    text = VOCABULARY.decode(form("vima").write([PICK, PUSH]))
    assert text == (
        "1: pick from ( <extra_id_699> <extra_id_799> <extra_id_449> ) "
        "and place to ( <extra_id_200> <extra_id_200> <extra_id_200> ) "
        "2: push from ( <extra_id_1199> <extra_id_1199> <extra_id_1199> ) "
        "and push to ( <extra_id_299> <extra_id_699> <extra_id_616> )"
    )
    assert [match.group(1, 2, 6) for match in STEP.finditer(text)] == [("1", "pick", "place"), ("2", "push", "push")]


def test_a_step_of_the_published_data_is_written_as_the_paper_does() -> None:
    """The only step of the first episode of the task twist."""
    action = [0.0, 0.496875, -0.115625, 0.0, 0.44375, -0.0625, 270.0]
    assert VOCABULARY.decode(form("vima").write([action])) == (
        "1: pick from ( <extra_id_693> <extra_id_583> <extra_id_200> ) "
        "and place to ( <extra_id_587> <extra_id_637> <extra_id_949> )"
    )


@pytest.mark.parametrize(("denominator", "highest"), [(999, 1.0), (1000, 0.999)])
def test_plans_are_read_in_both_conventions(denominator: int, highest: float) -> None:
    policy_format = form("vima", value_denominator=denominator)
    text = (
        "1: pick from ( <extra_id_699> <extra_id_799> <extra_id_449> ) "
        "and place to ( <extra_id_200> <extra_id_1199> <extra_id_1199> )"
    )
    action = policy_format.actions(VOCABULARY.encode(text, parse_special=True))[0]
    unit = np.array([499, 599, 249, 0]) / denominator
    expected = [0, 0.25 + 0.5 * unit[0], unit[1] - 0.5, 360 * unit[2], 0.25, highest - 0.5, 360 * highest]
    np.testing.assert_allclose(action, expected, atol=1e-5)
    assert policy_format.write([action]) == VOCABULARY.encode(text, parse_special=True), "what is read is written back"
    half = np.deg2rad(action[3]) / 2  # degrees are converted, which the reference's parser leaves out
    np.testing.assert_allclose(quaternions_of(action[3]), [0, 0, np.sin(half), np.cos(half)], atol=1e-6)
    assert set(from_action(action)) == {"pose0_position", "pose0_rotation", "pose1_position", "pose1_rotation"}


def test_numbers_are_truncated_as_in_training() -> None:
    values = [[0.05, -0.05, 0.0, 0.125, -0.25, 0.2499, 1.0]]
    bins = [VOCABULARY.value_bin(token) for token in form("bridge").write(values)]
    assert bins == [999, 0, 499, 749, 0, 998, 999]
    nearest = [VOCABULARY.value_bin(token) for token in form("bridge", value_rounding="nearest").write(values)]
    assert nearest == [999, 0, 500, 749, 0, 999, 999]
    (read,) = form("bridge").actions(form("bridge").write(values))
    np.testing.assert_allclose(read[:3], [0.05, -0.05, -0.05 + 0.1 * 499 / 999], atol=1e-7)


@pytest.mark.parametrize("name", sorted(ROBOTS))
@pytest.mark.parametrize("denominator", [999, 1000])
def test_every_bin_keeps_its_token(name: str, denominator: int) -> None:
    policy_format = form(name, value_denominator=denominator)
    sizes = [len(spelled) for spelled in policy_format.codec.spellings]
    levels = np.stack([np.arange(1000) % size for size in sizes], axis=1)
    actions = policy_format.codec.from_levels(levels)
    np.testing.assert_array_equal(policy_format.codec.levels(actions), levels)
    low, high = (
        np.array([getattr(d, end) for d in policy_format.embodiment.action.dimensions]) for end in ("low", "high")
    )
    assert (actions >= low.astype(np.float32)).all() and (actions <= high.astype(np.float32)).all()


def test_continuous_control_names_its_action_space_and_what_was_done() -> None:
    policy_format = form("language_table")
    seen = moment(policy_format, previous_actions=[[0.1, -0.1], [0.0, 0.05]])
    assert VOCABULARY.decode(VOCABULARY.encode(policy_format.prompt(seen, "push the red star"))) == (
        "[Text] [S] Action space: An action is 2 changes in frame board: x from -0.1 to 0.1 m, y from -0.1 to 0.1 m. "
        "Instruction: push the red star History: <extra_id_1199> <extra_id_200> <extra_id_699> <extra_id_949> "
        "Predict the next action."
    )


def test_navigation_tells_observation_position_and_action_of_each_step() -> None:
    policy_format = form("pointnav")
    past = [{"state": [10, -20, 1.5, *[0] * 4], "action": [0]}, {"state": [-50, 50, *[0] * 5], "action": [1]}]
    seen = moment(policy_format, state=[0, 0, 0, 90, 25, -25, 1], history=past)
    assert VOCABULARY.decode(VOCABULARY.encode(policy_format.prompt(seen, "Go to the goal."))) == (
        "[Text] [S] Go to the goal. Goal: ( <extra_id_949> <extra_id_449> <extra_id_709> ) History: "
        "<image_history_1> ( <extra_id_799> <extra_id_499> <extra_id_714> ) forward "
        "<image_history_2> ( <extra_id_200> <extra_id_1199> <extra_id_699> ) left "
        "<image_input> ( <extra_id_699> <extra_id_699> <extra_id_699> ) "
        "The history lists each observation with its position ( x z y ) and the action. "
        "Predict the next action out of forward, left, right, stop."
    )
    assert [VOCABULARY.decode(policy_format.write([[word]])) for word in range(4)] == [
        "forward",
        "left",
        "right",
        "stop",
    ]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"value_denominator": 1000, "action_bins": 201}, "give 999, or 1000 with action_bins=1000"),
        ({"value_rounding": "up"}, "value_rounding: got 'up', expected one of nearest, trunc"),
        ({"history_text": "{frame}"}, r"history_text: got '\{frame\}' and 0 history frames"),
        ({"prompt": "{instruction} {state.height}"}, r"vima/pick-place has no state 'height'; there are \['spatula'\]"),
    ],
)
def test_changes_that_make_no_sense_are_named(changes: dict[str, object], match: str) -> None:
    with pytest.raises(CheckpointError, match=match):
        form("vima", state_range="limits", **changes)


def test_words_are_those_of_the_paper() -> None:
    (move,) = released_robot("pointnav").embodiment.action.dimensions
    assert move == Dimension.of_words("move", ("forward", "left", "right", "stop"))
