"""An agent of size large with random weights: one image in, one action of seven numbers out, against plain code."""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor, nn

from embodio.agent.agent import Agent
from embodio.agent.checkpoint import Checkpoint
from embodio.agent.format.policy_config import PolicyConfig
from embodio.agent.format.policy_format import PolicyFormat
from embodio.agent.options import AgentOptions
from embodio.agent.policy_network import policy_network_config
from embodio.benchmarks.speed.reference_like import ReferenceLike, ReferenceLikeDecoder
from embodio.benchmarks.speed.suites import BenchmarkConfig, Row
from embodio.benchmarks.speed.suites.model import fastest, random_network
from embodio.envs.embodiment import ActionSpec, Camera, Dimension, Embodiment
from embodio.model.config.model import ModelConfig
from embodio.model.layers.layers import Linear, linear
from embodio.model.network.batch import collate
from embodio.model.network.network import UnifiedIO2
from embodio.model.network.targets import START_ID
from embodio.model.process_memory import peak_memory
from embodio.model.processing.processor import Processor
from embodio.model.tokens.statistics import DatasetStatistics
from embodio.model.tokens.vocabulary import Vocabulary

SIDE, NUMBERS = 384, 7
# The last one changes how weights are stored, so it comes last.
_OPTIONS = {
    "int8": (AgentOptions(precision="int8", replan=1), ">= 8"),
    "int8_weights": (AgentOptions(precision="int8_weights", replan=1), ""),
    "bfloat16": (AgentOptions(precision="bfloat16", replan=1), ""),
    "float32, prepared": (AgentOptions(prepare=True, replan=1), ">= 3"),
}
_QUICK = {
    "emb_dim": 64,
    "num_heads": 4,
    "head_dim": 16,
    "mlp_dim": 96,
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
}


def measure(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Times one action at replanning, in each precision, all in turn with the plain network.

    Args:
        config: `repeats`, `threads` and `quick` are read.
        progress: Where progress is shown.
    """
    task = progress.add_task("agent of size large", total=2)
    policy_format = large_policy()
    network = random_network(_network_config(policy_format, config.quick))
    generator = np.random.default_rng(0)
    frames = [generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(2)]
    ours = copy.deepcopy(network)  # its weights will be reordered, which must not speed up the plain one
    agents = {name: _agent(ours, policy_format, options, frames[1]) for name, (options, _) in _OPTIONS.items()}
    progress.advance(task)
    turn = itertools.count()
    work: dict[str, Callable[[], object]] = {
        # A different frame each time, so that nothing can be reused.
        name: lambda agent=agent: agent.act({"front": frames[next(turn) % 2]})  # type: ignore[misc]
        for name, agent in agents.items()
    }
    work["plain"] = functools.partial(act_plainly, ReferenceLike(network), next(iter(agents.values())))
    products = bare_products(ours)
    work["products"] = lambda: [linear(x, weight) for x, weight in products]
    times = fastest(work, 1 if config.quick else min(2, config.repeats), config.threads)
    plain = times["plain"]
    note = (
        f"reference: the plain network encodes and writes {NUMBERS} tokens and the end, recomputing everything for each"
    )
    rows = [
        Row(f"large, one action, {name}", times[name], "ms", plain, plain / times[name], goal, note)
        for name, (_, goal) in _OPTIONS.items()
    ]
    floor = "only the prepared float32 products, without those of the seven tokens: no ratio can be higher"
    rows.append(
        Row("large, bare float32 products", times["products"], "ms", plain, plain / times["products"], note=floor)
    )
    progress.advance(task)
    note = "the plain network and four of ours at once"
    return [*rows, Row("peak memory, size large", peak_memory(), "MB", note=note)]


def _agent(network: UnifiedIO2, policy_format: PolicyFormat, options: AgentOptions, frame: Any) -> Agent:
    agent = Agent(Checkpoint(network, policy_format), options=options)
    agent.reset("pick up the red cube and put it into the box")
    agent.act({"front": frame})
    return agent


@torch.no_grad()
def act_plainly(plain: ReferenceLike, agent: Agent) -> list[int]:
    """The tokens of one action for the agent's last observation, and the end token, computed in the published way."""
    processor = Processor(plain.model.config, agent.format.vocabulary)
    decoder = ReferenceLikeDecoder(plain, *plain.encode(collate([processor(agent.example())])))
    ids = [START_ID]
    for _ in range(NUMBERS + 1):
        ids.append(int(decoder.step(torch.tensor([ids[-1:]]))[0, -1].argmax()))
    return ids[1:]


def bare_products(network: UnifiedIO2) -> list[tuple[Tensor, Tensor]]:
    """Inputs and weights of the products of one encoding, with the image tower and the decoder's keys and values."""
    patches = network.config.lengths.encoder_image
    parts: list[tuple[nn.Module, int]] = [(network.encoder, patches), (network.towers["image"], patches)]
    parts += [(layer.cross_attention.key_value, patches) for layer in network.decoder.layer_list()]
    found = []
    for part, rows in parts:
        for module in part.modules():
            if isinstance(module, Linear | nn.Linear):
                found.append((torch.randn(rows, module.weight.shape[1]), module.weight.detach()))
    return found


def large_policy() -> PolicyFormat:
    """A policy with one camera of 384 pixels and seven numbers in sequence, without state."""
    dimensions = tuple(Dimension(f"x{index}", "", -1.0, 1.0) for index in range(NUMBERS))
    action = ActionSpec(dimensions, "delta", "base", "none", "none", "benchmark")
    robot = Embodiment("benchmark/large", action, (), (Camera("front", SIDE, SIDE),), None, 5.0)
    config = PolicyConfig(cameras=("front",), chunk=1, prompt="{instruction}")
    return PolicyFormat(config, robot, DatasetStatistics({}, source="benchmark"), Vocabulary.default())


def _network_config(policy_format: PolicyFormat, quick: bool) -> ModelConfig:
    config = policy_network_config("large", policy_format)
    whole = dataclasses.replace(config.transformer, vocab_size=ModelConfig.named("large").transformer.vocab_size)
    config = config.replace(transformer=whole)
    if quick and config.image_tower is not None:
        tower = dataclasses.replace(config.image_tower, emb_dim=32, num_heads=2, head_dim=16, num_layers=2, mlp_dim=64)
        config = config.replace(
            transformer=dataclasses.replace(whole, **cast(dict[str, Any], _QUICK)), image_tower=tower
        )
    return config
