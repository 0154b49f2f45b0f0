"""Suite agent: what it compares with does the same work, and its memory figures are those of the system."""

from __future__ import annotations

import numpy as np
import torch

from embodio.agent import Agent, AgentOptions, Checkpoint
from embodio.benchmarks.speed.reference_like import ReferenceLike
from embodio.benchmarks.speed.suites import agent_large
from embodio.benchmarks.speed.suites.model import random_network
from embodio.model.network.batch import collate
from embodio.model.process_memory import peak_memory, resident_memory
from embodio.model.processing.processor import Processor


def test_the_plain_network_writes_what_ours_would_write_unconstrained() -> None:
    policy_format = agent_large.large_policy()
    network = random_network(agent_large._network_config(policy_format, quick=True))
    agent = Agent(Checkpoint(network, policy_format), options=AgentOptions(replan=1))
    agent.reset("pick up the red cube")
    agent.act({"front": np.random.default_rng(0).integers(0, 256, (384, 384, 3), dtype=np.uint8)})
    ids = agent_large.act_plainly(ReferenceLike(network), agent)
    assert len(ids) == agent_large.NUMBERS + 1
    batch = collate([Processor(network.config, policy_format.vocabulary)(agent.example())])
    with torch.inference_mode():
        state, token, expected = network.start_decoding(network.encode(batch), len(ids)), 0, []
        for _ in ids:
            token = int(network.decode_step(state, torch.tensor([[token]]))[0, -1].argmax())
            expected.append(token)
    assert ids == expected
    assert all(x.shape[1] == weight.shape[1] for x, weight in agent_large.bare_products(network))


def test_resident_memory_is_at_most_the_peak() -> None:
    now = resident_memory()
    assert now is None or 0 < now <= peak_memory()
