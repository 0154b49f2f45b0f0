"""Latency of a robot's action while the same server draws for another client."""

from __future__ import annotations

import dataclasses
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from embodio.agent.agent import Agent
from embodio.agent.checkpoint import save_checkpoint
from embodio.agent.client import RemoteAgent
from embodio.benchmarks.speed.remote import served
from embodio.benchmarks.speed.suites import Row
from embodio.model import ModelConfig
from embodio.model.network.network import UnifiedIO2

_WORDS = "lift the red cube"
_PATIENCE = 600.0


def during_a_drawing(agent: Agent, seen: Sequence[dict[str, Any]], steps: int, *, quick: bool) -> list[Row]:
    """Times of `act` over a socket, alone and while another client imagines a goal.

    Args:
        agent: Gives the network, to which an image tokeniser of the released size with random weights is added.
        seen: Observations to act on.
        steps: Steps timed alone; during the drawing, as many as fit.
        quick: Whether to draw a small image.
    """
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(f"{folder}/drawing", _drawing(agent, quick), agent.format)
        with served(f"{folder}/drawing", "replan=1") as url, RemoteAgent(url) as robot, RemoteAgent(url) as painter:
            painter.deadline = _PATIENCE
            for client in (robot, painter):
                client.reset(_WORDS)
            robot.warmup()
            thread = threading.Thread(target=painter.imagine, args=(_WORDS, seen[0]))
            begin = time.perf_counter()
            thread.start()
            during = list[float]()
            while thread.is_alive():
                during.append(_timed(robot, seen[len(during) % len(seen)]))
            seconds = time.perf_counter() - begin
            alone = [_timed(robot, seen[step % len(seen)]) for step in range(steps)]
    usual, found = float(np.median(alone)), float(np.median(during))
    longest = f"p99 {np.percentile(during, 99):.1f}, longest {max(during):.0f} ms, {len(during)} in {seconds:.1f} s"
    note = f"reference: nobody draws; every step plans; {longest}"
    return [Row("act of a client while another client draws, p50", found, "ms", usual, usual / found, note=note)]


def _timed(robot: RemoteAgent, observation: dict[str, Any]) -> float:
    begin = time.perf_counter()
    robot.act(observation)
    return (time.perf_counter() - begin) * 1e3


def _drawing(agent: Agent, quick: bool) -> UnifiedIO2:
    """The agent's network, which draws as well."""
    config, released = agent.model.config, ModelConfig.named("large")
    tokenizer, codes = released.image_tokenizer, released.lengths.decoder_image
    if quick and tokenizer is not None:
        size = tokenizer.resolution // 8
        tokenizer, codes = dataclasses.replace(tokenizer, resolution=size, image_size=(size, size)), codes // 64
    network = UnifiedIO2(
        dataclasses.replace(
            config,
            target_modalities=("text", "image"),
            image_tokenizer=tokenizer,
            lengths=dataclasses.replace(config.lengths, decoder_image=codes),
        ),
        tokenizers=True,
    ).eval()
    network.load_state_dict(agent.model.state_dict(), strict=False)
    return network
