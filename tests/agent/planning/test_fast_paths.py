"""Every option for speed against plain float32, warming up, latencies, and networks whose numbers are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embodio.agent import Abstained, ActionResult, Agent, AgentOptions, CheckpointError, PrecisionError, load_checkpoint
from tests.support.agent.lift_nano_frames import INSTRUCTIONS, drawn_observation
from tests.support.agent.policies import make_checkpoint, make_format, make_observation

FAST = {
    # Largest difference of the mean action to float32, as a share of the range, over the frames of lift-nano.
    "prepared": (AgentOptions(prepare=True, replan=1), 1e-4),
    "bfloat16": (AgentOptions(precision="bfloat16", replan=1), 0.02),
    "int8": (AgentOptions(precision="int8", replan=1), 0.03),
    "int8_weights": (AgentOptions(precision="int8_weights", replan=1), 0.02),
}


def first_actions(options: AgentOptions) -> np.ndarray:
    """Expected values [n, 7] of the first action in eight scenes."""
    agent, found = Agent(load_checkpoint("lift-nano"), options=options), []
    for step in range(8):
        agent.reset(instruction=INSTRUCTIONS[0])
        result = agent.decide(drawn_observation(agent.embodiment, 0, step))
        assert isinstance(result, ActionResult)
        found.append(result.dimensions[0].mean)
    return np.array(found)


@pytest.mark.parametrize("name", FAST)
def test_faster_weights_act_nearly_alike(name: str) -> None:
    options, tolerance = FAST[name]
    difference = np.abs(first_actions(options) - first_actions(AgentOptions(replan=1))) / 2.0
    assert difference.mean() < tolerance


@pytest.mark.slow
def test_a_compiled_encoder_acts_alike_and_rows_as_alone() -> None:
    checkpoint = make_checkpoint(make_format(chunk=2), seed=3)
    plain, compiled = (Agent(checkpoint, options=AgentOptions(replan=1, compile=on)) for on in (False, True))
    for agent in (plain, compiled):
        agent.reset(instruction=("lift", "push"))
    for step in range(2):
        rows = [make_observation(2 * step + row) for row in range(2)]
        batch = {key: np.stack([row[key] for row in rows]) for key in ("front", "hand", "state")}  # type: ignore[arg-type]
        one, other = plain.decide(batch), compiled.decide(batch)
        assert isinstance(one, list) and isinstance(other, list)
        for first, second in zip(one, other, strict=True):
            np.testing.assert_allclose(first.dimensions[0].probabilities, second.dimensions[0].probabilities, atol=1e-4)
    alone = Agent(checkpoint, options=AgentOptions(replan=1, compile=True))
    alone.reset(instruction="push")
    np.testing.assert_array_equal(other[1].action, [alone.act(make_observation(i)) for i in (1, 3)][1])


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(PrecisionError, match=r"install g\+\+"):
        Agent(make_checkpoint(make_format()), options=AgentOptions(compile=True))


def test_a_network_without_numbers_is_noticed() -> None:
    checkpoint = make_checkpoint(make_format(chunk=1), seed=3)
    with torch.no_grad():
        checkpoint.model.text_embedding.weight.fill_(float("nan"))
    agent = Agent(checkpoint)
    agent.reset(instruction="lift")
    with pytest.warns(UserWarning, match="no finite numbers"):
        result = agent.decide(make_observation(0))
    assert isinstance(result, ActionResult) and result.legal_mass == 0.0
    assert all(np.isfinite(d.entropy) and np.isfinite(d.log_probability) for d in result.dimensions)
    careful = Agent(checkpoint, options=AgentOptions(abstain_below=1e-6))
    careful.reset(instruction="lift")
    with pytest.warns(UserWarning, match="no finite numbers"), pytest.raises(Abstained):
        careful.act(make_observation(0))


def test_an_answer_that_the_network_cannot_write_is_refused() -> None:
    with pytest.raises(CheckpointError, match="chunk: 100 actions take 301 tokens"):
        Agent(make_checkpoint(make_format(chunk=100)))


def test_warming_up_leaves_no_trace_and_latencies_are_told() -> None:
    checkpoint = make_checkpoint(make_format(chunk=2, history_frames=1), seed=3)
    warm, cold = Agent(checkpoint), Agent(checkpoint)
    for agent in (warm, cold):
        agent.reset(instruction="lift")
    warm.warmup(rows=2)
    assert warm.latency() == {}
    for step in range(3):
        np.testing.assert_array_equal(warm.act(make_observation(step)), cold.act(make_observation(step)))
    told = warm.latency()
    assert set(told) == {"preprocess", "embed", "encode", "decode", "actions", "total"}
    assert all(0 <= stage["p50"] <= stage["p95"] <= stage["p99"] for stage in told.values())
    assert told["decode"]["count"] == 3 and told["total"]["count"] == 3
