"""Actions of agents at steps of recorded episodes: asked as in training, and as far off as by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodio.agent import Agent, save_checkpoint
from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.evaluation.acting import NetworkRunner, _session, acted
from embodio.benchmarks.evaluation.evaluation import evaluate
from embodio.benchmarks.evaluation.procedures import named_procedure
from embodio.datasets.annotations import read_annotations
from embodio.datasets.opening import open_source
from embodio.datasets.tasks.next_action import NextAction
from embodio.model.example import Example
from embodio.model.tasks.errors import AnswerError
from tests.support.agent.policies import make_checkpoint, make_format
from tests.support.benchmarks.evaluations import evaluate_config, quiet
from tests.support.datasets.toy import write_toy_dataset


def asked(folder: Path, **reading: Any) -> list[Any]:
    kind = named_procedure("act")
    found = [item.make() for item in read_annotations("actions", folder, folder, kind, reading)]
    return [kind.request(one) for one in found]


def test_the_error_of_a_network_is_that_of_its_agent(tmp_path: Path) -> None:
    checkpoint, folder = make_checkpoint(make_format(chunk=2)), write_toy_dataset(tmp_path / "toy", 2, 4)
    save_checkpoint(tmp_path / "policy", checkpoint.model, checkpoint.format)
    suite = tmp_path / "suite.yaml"
    suite.write_text("tasks:\n  arm: {family: act, format: actions, file: toy, reading: {moments: 2, steps: 2}}\n")
    found = evaluate(evaluate_config(suite, model=str(tmp_path / "policy"), examples=1), None, quiet())["arm"]
    agent, errors = Agent.load(tmp_path / "policy"), []
    for episode in map(open_source(folder).episode, range(2)):
        for step in (0, 2):
            seen = {name: episode.frame(name, step) for name in ("front", "hand")}
            agent.reset(instruction="lift the cube")
            planned = agent.plan(seen | {"state": episode.array("observation/state")[step]})
            errors.append(np.abs(planned - episode.array("action")[step : step + 2]).mean())
    estimate = found.metrics["action_mae"].estimates["action_mae"]
    assert estimate.value == pytest.approx(np.mean(errors)) and estimate.low is not None
    assert found.metrics["action_mae"].clusters == 2, "episodes, not steps, are drawn for the interval"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "lift the cube" in page and "Embodiment(" not in page


@pytest.mark.parametrize(
    "changes",
    [
        {"history_frames": 2},
        {"previous_actions": 2, "prompt": "{instruction} So far: {previous_actions}"},
        {"history_frames": 1, "history_stride": 2},
    ],
)
def test_a_policy_is_asked_as_it_was_trained(tmp_path: Path, changes: dict[str, Any]) -> None:
    policy, folder = make_format(chunk=1, **changes), write_toy_dataset(tmp_path / "toy", 1, 5)
    agent, task = Agent(make_checkpoint(policy)), NextAction(open_source(folder), policy, [0])
    for one in asked(folder, moments=5, earlier=2):
        same(_session(agent, one, 0).example(), task.example(one.step))
    with pytest.raises(BenchmarkError, match=r"the agent reads 2 earlier steps, 0 are shown.*\{earlier: 2\}"):
        acted(agent, asked(folder, moments=5), range(5))


def same(found: Example, trained: Example) -> None:
    """Requires the inputs of one example to be those of another."""
    assert found.text == trained.text and len(found.image_history) == len(trained.image_history)
    pairs = zip([found.image, *found.image_history], [trained.image, *trained.image_history], strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


def test_what_does_not_fit_an_agent_is_named(tmp_path: Path) -> None:
    folder, agent = write_toy_dataset(tmp_path / "toy", 1, 5), Agent(make_checkpoint(make_format(chunk=1)))
    with pytest.raises(BenchmarkError, match=r"plans 1 actions at once, 3 are asked for; set reading: \{steps: 1\}"):
        acted(agent, asked(folder, steps=3), range(3))
    goals = Agent(make_checkpoint(make_format(chunk=1, goal_image=True)))
    with pytest.raises(BenchmarkError, match=r"do not fit the agent: .*goal"):
        acted(goals, asked(folder), range(5))


def test_a_policy_that_declines_is_as_far_off_as_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_toy_dataset(tmp_path / "toy", 1, 2)
    agent = Agent(make_checkpoint(make_format(chunk=1, abstains=True)))
    monkeypatch.setattr("embodio.agent.planning.result.ActionPlan.declined", property(lambda plan: True))
    assert all(isinstance(one, AnswerError) for one in acted(agent, asked(folder), range(2)))


def test_a_network_that_is_not_an_agent_cannot_act(tmp_path: Path) -> None:
    runner = NetworkRunner(tasks=None, model=str(tmp_path), device="cpu")  # type: ignore[arg-type]
    with pytest.raises(BenchmarkError, match="cannot act"):
        runner.run("act", asked(write_toy_dataset(tmp_path / "toy", 1, 2)), seeds=[0, 1])
