"""Options: every combination acts, alone and in a vector with the same bits, or is refused, naming its fields."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, AgentError, AgentOptions, Checkpoint
from embodio.agent.errors import Abstained
from tests.support.agent.policies import make_checkpoint
from tests.support.agent.robots import continuous, observation_of, poses, require_valid, words

CHUNK = 3
CHECKPOINTS = {
    "numbers": make_checkpoint(continuous(chunk=CHUNK, history_frames=1), seed=1),
    "words": make_checkpoint(words(chunk=CHUNK), seed=1),
    "poses": make_checkpoint(poses(chunk=CHUNK), seed=1),
}
VALUES: dict[str, tuple[Any, ...]] = {
    "replan": (None, 1, CHUNK),
    "ensemble": (None, 0.5),
    "temperature": (0.0, 1e-320, 1.3),
    "guidance": (0.0, 1000.0),
    "neutral": ("", "do nothing"),
    "abstain_below": (None, 1e-12),
    "batch_rows": (True, False),
}
COMBINATIONS = [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]


def refusal(options: dict[str, Any], checkpoint: Checkpoint) -> str | None:
    """The fields that cannot go together."""
    if options["neutral"] and not options["guidance"]:
        return "neutral, guidance"
    replan = options["replan"] or (CHUNK if checkpoint.format.whole_episode else CHUNK // 2)
    return "ensemble, replan" if options["ensemble"] is not None and replan == CHUNK else None


def play(agent: Agent, seen: list[dict[str, Any]]) -> list[np.ndarray]:
    return [agent.act(observation) for observation in seen]


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_what_cannot_go_together_is_named(kind: str) -> None:
    checkpoint = CHECKPOINTS[kind]
    for options in COMBINATIONS:
        expected = refusal(options, checkpoint)
        try:
            AgentOptions(**options).replan_of(CHUNK, checkpoint.format.whole_episode)
            found = None
        except AgentError as error:
            found = str(error)
        assert (found or "").startswith(f"{expected}:" if expected else "") and bool(found) == bool(expected)
    with pytest.raises(AgentError, match="ensemble, replan"):
        Agent(checkpoint, options=AgentOptions(replan=CHUNK, ensemble=0.0))


def pairs_of(options: dict[str, Any]) -> set[Any]:
    return set(itertools.combinations(options.items(), 2))


def covering(legal: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """So few of them that all pairs of values of two options are among them."""
    chosen, missing = [], set.union(*map(pairs_of, legal))
    while missing:
        chosen.append(max(legal, key=lambda options: len(pairs_of(options) & missing)))
        missing -= pairs_of(chosen[-1])
    return chosen


@pytest.mark.parametrize("choose", [covering, pytest.param(list, marks=pytest.mark.slow)], ids=["pairs", "all"])
@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_all_others_act_alone_as_in_a_vector(kind: str, choose: Any) -> None:
    checkpoint = CHECKPOINTS[kind]
    rows = [[observation_of(checkpoint.format, 10 * row + step) for step in range(2)] for row in range(2)]
    stacked = [{key: np.stack([row[step][key] for row in rows]) for key in rows[0][0]} for step in range(2)]
    for options in choose([options for options in COMBINATIONS if refusal(options, checkpoint) is None]):
        together = Agent(checkpoint, options=AgentOptions(**options))
        together.reset(instruction=("lift", "push it"), seed=[4, 5])
        actions = play(together, stacked)
        for row, told in enumerate(("lift", "push it")):
            alone = Agent(checkpoint, options=AgentOptions(**options))
            alone.reset(instruction=told, seed=4 + row)
            for step, action in enumerate(play(alone, rows[row])):
                require_valid(checkpoint.format, action)
                np.testing.assert_array_equal(actions[step][row], action, err_msg=f"{options} row {row} step {step}")
        result = alone.decide(rows[1][0])
        for dimension in result.dimensions:  # type: ignore[union-attr]
            assert dimension.probabilities.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("replan", (0, -1, 2.5, "all", CHUNK + 1)),
        ("ensemble", (-0.1, float("nan"), float("inf"), "mean", True)),
        ("temperature", (-1, float("nan"), float("inf"), None, "hot")),
        ("guidance", (-1, float("nan"), float("inf"), 1e308, None, True)),
        ("neutral", (None, 3)),
        ("abstain_below", (-0.1, 1.1, float("nan"), "low")),
        ("precision", ("int4", None, 8)),
    ],
)
def test_values_that_mean_nothing_are_refused(field: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(AgentError, match=f"^{field}: "):
            AgentOptions(**{field: value}).replan_of(CHUNK)


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_refused_action_leaves_no_trace(kind: str) -> None:
    """Once the threshold is lower, an agent acts as if it had not been asked before; `decide` says how sure it is."""
    checkpoint = CHECKPOINTS[kind]
    seen = [observation_of(checkpoint.format, step) for step in range(4)]
    options = {"replan": 1, "temperature": 1.0}
    sure, unsure = (Agent(checkpoint, options=AgentOptions(abstain_below=below, **options)) for below in (0.0, 1.0))
    for agent in (sure, unsure):
        agent.reset(instruction="lift", seed=3)
    for observation in seen:
        for other in seen[::-1]:
            with pytest.raises(Abstained, match=r"act: rows \[0\] have a legal mass below 1"):
                unsure.act(other)
        with pytest.raises(Abstained, match=r"plan: rows \[0\]"):
            unsure.plan(observation)
        result = unsure.decide(observation)
        np.testing.assert_array_equal(sure.act(observation), result.action)  # type: ignore[union-attr]
