"""Whatever the weights are, every decoded answer is a complete, finite, in-range action."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from embodio.agent import Agent, Checkpoint, decode_legal
from embodio.model.network.batch import collate
from embodio.model.processing.processor import Processor
from tests.support.agent.policies import make_checkpoint, make_format, make_observation
from tests.support.agent.slow_path import legal_ids


def answers(checkpoint: Checkpoint, observations: int = 3) -> np.ndarray:
    policy_format = checkpoint.format
    processor = Processor(checkpoint.model.config, policy_format.vocabulary)
    examples = [policy_format.example([make_observation(i)], "lift the cube") for i in range(observations)]
    with torch.inference_mode():
        encoded = checkpoint.model.encode(collate([processor(example) for example in examples]))
    return decode_legal(checkpoint.model, encoded, legal_ids(policy_format))


def spoil(checkpoint: Checkpoint, how: str) -> None:
    """Changes the weights to something no training would give."""
    with torch.no_grad():
        table = checkpoint.model.text_embedding.weight
        for parameter in checkpoint.model.parameters():
            if how == "zero":
                parameter.zero_()
            elif how == "huge":
                parameter.mul_(1e4)
        if how == "infinite logits":
            table[:100] = 1e38
        if how == "not a number":
            table.fill_(float("nan"))


@pytest.mark.parametrize("how", ["random", "zero", "huge", "infinite logits", "not a number"])
def test_every_answer_is_a_valid_action(how: str) -> None:
    checkpoint = make_checkpoint(make_format(chunk=2), seed=7)
    spoil(checkpoint, how)
    ids = answers(checkpoint)
    for position, legal in enumerate(legal_ids(checkpoint.format)):
        assert set(ids[:, position]) <= set(legal.tolist())
    actions = checkpoint.format.actions(ids)
    assert actions.shape == (3, 2, 3)
    assert np.isfinite(actions).all()
    limits = checkpoint.format.embodiment.action.dimensions
    assert all(d.low <= a <= d.high for action in actions.reshape(-1, 3) for d, a in zip(limits, action, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_random_networks_act(seed: int) -> None:
    agent = Agent(make_checkpoint(make_format(chunk=2), seed=seed), replan=1)
    agent.reset(instruction="lift the cube")
    action = agent.act(make_observation(seed))
    assert action.dtype == np.float32 and action.shape == (3,)
    assert np.isfinite(action).all()


def test_decoding_takes_the_best_legal_id(checkpoint: Checkpoint) -> None:
    """Against the slow way: one full forward pass per token, all illegal logits set to minus infinity."""
    policy_format, model = checkpoint.format, checkpoint.model
    processor = Processor(model.config, policy_format.vocabulary)
    legal = legal_ids(policy_format)
    fast = answers(checkpoint, observations=1)[0]
    slow: list[int] = []
    for ids in legal:
        example = policy_format.example([make_observation(0)], "lift the cube")
        batch = collate([processor(example)])
        batch["targets/text/inputs"] = torch.tensor([[0, *slow]])
        batch["targets/text/targets"] = torch.tensor([[*slow, 1]])
        with torch.inference_mode():
            logits = model(batch)["text"].logits[0, -1]
        masked = torch.full_like(logits, -torch.inf)
        masked[torch.as_tensor(ids)] = logits[torch.as_tensor(ids)]
        slow.append(int(masked.argmax()))
    assert fast.tolist() == slow


def test_rows_of_a_batch_do_not_depend_on_each_other(checkpoint: Checkpoint) -> None:
    np.testing.assert_array_equal(answers(checkpoint, 3)[0], answers(checkpoint, 1)[0])
