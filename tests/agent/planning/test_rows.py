"""Many rows at once: each does bit for bit what an agent on its own does, and what the plain slow way gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embodio.agent import Agent, Checkpoint, NotReset, ObservationError, load_checkpoint
from embodio.agent.options import AgentOptions
from embodio.model.inference.layer_step import OrderedProduct
from tests.support.agent.policies import make_checkpoint, make_format, make_observation
from tests.support.agent.slow_path import SlowAgent


def batch(seeds: list[int]) -> dict[str, object]:
    """What a vector environment gives."""
    rows = [make_observation(seed) for seed in seeds]
    stacked: dict[str, object] = {key: np.stack([row[key] for row in rows]) for key in ("front", "hand", "state")}
    return stacked | {"instruction": tuple(row["instruction"] for row in rows)}


def spoil(checkpoint: Checkpoint, how: str) -> Checkpoint:
    with torch.no_grad():
        for parameter in checkpoint.model.parameters():
            if how == "huge":
                parameter.mul_(30.0)
            elif how == "zero":
                parameter.zero_()
        if how == "not a number":
            checkpoint.model.text_embedding.weight[:700] = float("nan")
    return checkpoint


@pytest.mark.parametrize("seed", range(3))
def test_acting_is_as_it_was(seed: int) -> None:
    checkpoint = make_checkpoint(make_format(chunk=4), seed=seed)
    fast, slow = Agent(checkpoint), SlowAgent(checkpoint, 2)
    for episode in range(2):
        fast.reset(instruction="lift the red cube")
        slow.reset("lift the red cube")
        for step in range(5):
            observation = make_observation(10 * episode + step)
            np.testing.assert_array_equal(fast.act(observation), slow.act(observation))


def test_history_is_encoded_once_and_acts_as_the_slow_way() -> None:
    checkpoint = make_checkpoint(make_format(chunk=1, history_frames=2, history_stride=2), seed=3)
    fast, slow = Agent(checkpoint), SlowAgent(checkpoint, 1)
    fast.reset(instruction="lift")
    slow.reset("lift")
    ran: list[str] = []
    embed = checkpoint.model.embed_inputs
    checkpoint.model.embed_inputs = lambda batch: (
        ran.extend(k for k in batch if k.endswith("history/input")) or embed(batch)
    )  # type: ignore[method-assign]
    for step in range(8):
        observation = make_observation(step // 2)  # every frame is seen twice
        np.testing.assert_array_equal(fast.act(observation), slow.act(observation))
    del checkpoint.model.embed_inputs
    # The slow way looked at histories in 6 steps; the fast one encoded 3 different frames besides.
    assert len(ran) == 6 + 3


@pytest.mark.filterwarnings("ignore:rows of a batch")
def test_another_number_of_threads_is_noticed() -> None:
    """Products are shared out among threads and round otherwise then, so rows together are compared with rows alone."""
    checkpoint = make_checkpoint(make_format(chunk=4), seed=5)
    agent = Agent(checkpoint)
    for threads in (1, 2, 1):
        torch.set_num_threads(threads)
        agent.reset(instruction=("lift the red cube",) * 8)
        actions = agent.act(batch(list(range(8))))
        checked = {size[2] for size in agent.runtime._checked}
        assert threads in checked or not agent.runtime.together
        for row in range(8):
            alone = SlowAgent(checkpoint, 2)
            alone.reset("lift the red cube")
            np.testing.assert_array_equal(actions[row], alone.act(make_observation(row)), err_msg=f"{threads} {row}")


@pytest.mark.parametrize("how", ["random", "huge", "zero", "not a number"])
def test_a_row_does_what_it_does_alone(how: str) -> None:
    checkpoint = spoil(make_checkpoint(make_format(chunk=4), seed=5), how)
    together = Agent(checkpoint)
    together.reset(instruction=("lift the red cube",) * 8)
    alone = [SlowAgent(checkpoint, 2) for _ in range(8)]
    for agent in alone:
        agent.reset("lift the red cube")
    for step in range(3):
        seeds = [8 * step + row for row in range(8)]
        actions = together.act(batch(seeds))
        assert actions.shape == (8, 3) and actions.dtype == np.float32
        for row, agent in enumerate(alone):
            np.testing.assert_array_equal(actions[row], agent.act(make_observation(seeds[row])), err_msg=f"{row}")


def test_rows_begin_and_replan_on_their_own() -> None:
    checkpoint = make_checkpoint(make_format(chunk=4, history_frames=1), seed=2)
    together = Agent(checkpoint, replan=3)
    words = ["lift", "lift the cube", "push the red block to the left"]
    together.reset(instruction=tuple(words))
    alone = [Agent(checkpoint, replan=3) for _ in words]
    for agent, word in zip(alone, words, strict=True):
        agent.reset(instruction=word)
    for step in range(7):
        if step in (2, 5):
            done = np.array([step == 2, step == 5, True])
            words = [f"{word} again" for word in words]
            together.reset(instruction=tuple(words), rows=done)
            for row in np.flatnonzero(done):
                alone[row].reset(instruction=words[row])
        seeds = [3 * step + row for row in range(3)]
        actions = together.act(batch(seeds))
        for row, agent in enumerate(alone):
            np.testing.assert_array_equal(actions[row], agent.act(make_observation(seeds[row])))


def test_rows_have_seeds_of_their_own() -> None:
    checkpoint = make_checkpoint(make_format(chunk=2), seed=4)
    options = AgentOptions(temperature=1.0, replan=1)
    together = Agent(checkpoint, options=options)
    together.reset(instruction=("lift",) * 3, seed=[7, 8, 7])
    first = np.stack([together.act(batch([0, 0, 0])) for _ in range(3)])
    np.testing.assert_array_equal(first[:, 0], first[:, 2])
    assert (first[:, 0] != first[:, 1]).any()
    alone = Agent(checkpoint, options=options)
    alone.reset(instruction="lift", seed=8)
    np.testing.assert_array_equal(first[:, 1], [alone.act(make_observation(0)) for _ in range(3)])
    together.reset()
    np.testing.assert_array_equal(first, [together.act(batch([0, 0, 0])) for _ in range(3)])


def test_a_machine_that_rounds_rows_differently_runs_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = make_checkpoint(make_format(chunk=2), seed=6)
    agent = Agent(checkpoint)
    agent.reset(instruction=("lift",) * 2)
    product = OrderedProduct.__call__
    monkeypatch.setattr(
        OrderedProduct, "__call__", lambda self, x, rows: product(self, x, rows) * (1 + 1e-6 * float(rows > 1))
    )
    with pytest.warns(UserWarning, match="one by one"):
        actions = agent.act(batch([0, 1]))
    monkeypatch.undo()
    slow = SlowAgent(checkpoint, 1)
    slow.reset("lift")
    np.testing.assert_array_equal(actions[0], slow.act(make_observation(0)))
    assert not agent.runtime.together


def test_a_row_that_was_told_nothing_holds_up_all(checkpoint: Checkpoint) -> None:
    agent = Agent(checkpoint)
    agent.reset(instruction=("lift", None))
    with pytest.raises(NotReset, match=r"no instruction yet for rows \[1\]"):
        agent.act(batch([0, 1]))
    assert not agent.sessions[0].window


def test_batches_in_other_forms_are_the_same_batches(checkpoint: Checkpoint) -> None:
    arrays = {key: value for key, value in batch([0, 1]).items() if isinstance(value, np.ndarray)}
    expected = None
    for form in (np.asarray, torch.as_tensor, list, tuple):
        agent = Agent(checkpoint)
        agent.reset(instruction=np.array(["lift", "push"], dtype=object))
        actions = agent.act({key: form(value) for key, value in arrays.items()})  # type: ignore[operator]
        expected = actions if expected is None else expected
        np.testing.assert_array_equal(actions, expected)
    with pytest.raises(ObservationError, match="front: a batch of no observations"):
        agent.act({key: value[:0] for key, value in arrays.items()})


def test_numbers_of_rows_must_fit(checkpoint: Checkpoint) -> None:
    agent = Agent(checkpoint)
    agent.reset(instruction=("a", "b"))
    with pytest.raises(ObservationError, match="3 rows were given"):
        agent.act(batch([0, 1, 2]))
    with pytest.raises(ObservationError, match="reset with 2 instructions"):
        agent.act(make_observation())
    with pytest.raises(ObservationError, match=r"rows: expected bool \[2\]"):
        agent.reset(rows=np.ones(3, dtype=bool))
    broken = batch([0, 1])
    broken["state"][1, 0] = np.nan  # type: ignore[index]
    with pytest.raises(ObservationError, match="row 1: state: height is not finite"):
        agent.act(broken)
    with pytest.raises(ObservationError, match="state: expected 2 rows"):
        agent.act(batch([0, 1]) | {"state": np.zeros((3, 2), np.float32)})


def test_the_agent_that_ships_acts_as_it_did() -> None:
    """Its success rate was reported with the slow way; on random frames, four episodes at once, every bit is equal."""
    checkpoint = load_checkpoint("lift-nano")
    robot = checkpoint.format.embodiment
    generator = np.random.default_rng(0)
    fast, slow = Agent(checkpoint), [SlowAgent(checkpoint, 2) for _ in range(4)]
    fast.reset(instruction=("lift the red cube",) * 4)
    for agent in slow:
        agent.reset("lift the red cube")
    for _ in range(5):
        images = {c.name: generator.integers(0, 256, (4, c.height, c.width, 3), dtype=np.uint8) for c in robot.cameras}
        low, high = [d.low for d in robot.state], [d.high for d in robot.state]
        observation = images | {"state": generator.uniform(low, high, (4, len(low))).astype(np.float32)}
        actions = fast.act(observation)
        for row, agent in enumerate(slow):
            alone = {key: value[row] for key, value in observation.items()}
            np.testing.assert_array_equal(actions[row], agent.act(alone))
