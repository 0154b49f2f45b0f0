"""Suite agent: latency, the gain from rows, the cost of serving, memory over time; size large."""

from __future__ import annotations

import dataclasses
import functools
import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.progress import Progress

from embodio.agent.agent import Agent
from embodio.agent.errors import CheckpointError
from embodio.agent.format.observation import blank_observation
from embodio.agent.options import AgentOptions
from embodio.benchmarks.speed import remote
from embodio.benchmarks.speed.remote_drawing import during_a_drawing
from embodio.benchmarks.speed.suites import BenchmarkConfig, Row, agent_large
from embodio.model.process_memory import resident_memory

ROWS = 8
_NAME = "lift-nano"


def run(config: BenchmarkConfig, progress: Progress) -> list[Row]:
    """Measures the shipped agent on random frames.

    Args:
        config: `repeats` and `quick` are read.
        progress: Where progress is shown.

    Raises:
        CheckpointError: lift-nano cannot be loaded.
    """
    try:
        agent = Agent.load(_NAME)
    except CheckpointError as error:
        raise CheckpointError(f"suite=agent measures {_NAME}, which cannot be loaded: {error}") from error
    task = progress.add_task("agent", total=6)
    rows: list[Row] = []
    for measure in (_latency, _stages, _options, _vector, _served, _memory):
        rows += measure(agent, config)
        progress.advance(task)
    return rows + agent_large.measure(config, progress)


def frames(agent: Agent, count: int) -> list[dict[str, Any]]:
    """Random observations of the agent's robot, no two alike."""
    generator = np.random.default_rng(0)
    spec, made = agent.format.spec, []
    for _ in range(count):
        observation = blank_observation(spec)
        for camera in spec.cameras:
            shape = (camera.height, camera.width, camera.channels)
            observation[camera.name] = generator.integers(0, 256, shape, dtype=np.uint8)
        made.append(observation)
    return made


def _timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def _latency(agent: Agent, config: BenchmarkConfig) -> list[Row]:
    """Times of `act` when it plans, and when the action comes from the chunk."""
    seen = frames(agent, 20)
    agent.warmup()
    agent.reset("lift the red cube")
    planned: list[float] = []
    played: list[float] = []
    for step in range(20 if config.quick else 150 * config.repeats):
        milliseconds = _timed(functools.partial(agent.act, seen[step % len(seen)]))
        (planned if step % agent.replan == 0 else played).append(milliseconds)
    note = f"replan={agent.replan}, p95 {np.percentile(planned, 95):.1f} ms, p99 {np.percentile(planned, 99):.1f} ms"
    found = [Row("act that plans, p50", float(np.median(planned)), "ms", goal="<= 60", note=note)]
    if played:
        found.append(Row("act from the chunk, p50", float(np.median(played)), "ms", goal="<= 1"))
    return found


def _stages(agent: Agent, config: BenchmarkConfig) -> list[Row]:
    """Times of the stages of the plans just timed."""
    return [
        Row(f"stage {name}, p50", times["p50"], "ms", note=f"p95 {times['p95']:.2f}, p99 {times['p99']:.2f} ms")
        for name, times in agent.latency().items()
        if name != "total"
    ]


def _options(agent: Agent, config: BenchmarkConfig) -> list[Row]:
    """Times of planning with each speed option, in turn with the plain agent."""
    options = {
        "bfloat16": AgentOptions(precision="bfloat16"),
        "int8": AgentOptions(precision="int8"),
        "int8_weights": AgentOptions(precision="int8_weights"),
        "compile": AgentOptions(compile=True),
    }
    agents = {"float32": agent} | {
        name: Agent(agent.checkpoint, options=dataclasses.replace(option, replan=agent.replan))
        for name, option in options.items()
    }
    seen = frames(agent, 10)
    times: dict[str, list[float]] = {name: [] for name in agents}
    for chosen in agents.values():
        chosen.warmup()
    for step in range(4 if config.quick else 20 * config.repeats):
        for name, chosen in agents.items():
            chosen.reset("lift the red cube")
            times[name].append(_timed(functools.partial(chosen.act, seen[step % len(seen)])))
    medians = {name: float(np.median(found)) for name, found in times.items()}
    plain, note = medians["float32"], "reference: float32 as it is"
    return [
        Row(f"act that plans, {name}, p50", medians[name], "ms", plain, plain / medians[name], note=note)
        for name in options
    ]


def _vector(agent: Agent, config: BenchmarkConfig) -> list[Row]:
    """Actions per second of eight rows together and one by one, in turn, replanning at every step."""
    agent.warmup(ROWS)
    seen = frames(agent, ROWS)
    together = {key: np.stack([observation[key] for observation in seen]) for key in seen[0]}
    one, many = [], []
    for _ in range(2 if config.quick else 15 * config.repeats):
        sessions = []
        for _ in seen:
            session = agent.open_session()
            session.reset("lift the red cube")
            sessions.append(session)

        def one_by_one(sessions: list[Any] = sessions) -> None:
            for session, observation in zip(sessions, seen, strict=True):
                agent.act_sessions([session], [observation])

        one.append(_timed(one_by_one))
        agent.reset(("lift the red cube",) * ROWS)
        many.append(_timed(functools.partial(agent.act, together)))
    agent.reset("lift the red cube")
    ratios = np.divide(one, many)
    low, middle, high = np.percentile(ratios, (25, 50, 75))
    fast, slow = ROWS / np.median(many) * 1e3, ROWS / np.median(one) * 1e3
    note = (
        f"reference: the same rows one by one; both plan at every step, so the gain is that of the network; median of "
        f"{len(ratios)} pairs, half of them from {low:.2f} to {high:.2f}"
    )
    return [Row(f"{ROWS} rows together", float(fast), "actions/s", float(slow), float(middle), ">= 3", note)]


def _served(agent: Agent, config: BenchmarkConfig) -> list[Row]:
    """The cost that a socket adds to `act`, and the gain from batching a server's clients."""
    seen = frames(agent, 20)
    rows = remote.overhead(_NAME, agent, seen, 20 if config.quick else 100 * config.repeats)
    rows += remote.together(_NAME, seen, 1 if config.quick else config.repeats, 2 if config.quick else 20)
    return rows + during_a_drawing(agent, seen, 4 if config.quick else 100, quick=config.quick)


def _memory(agent: Agent, config: BenchmarkConfig) -> list[Row]:
    """Growth of memory over many steps, from the first tenth to the end."""
    steps = 200 if config.quick else 10_000
    agent = Agent(agent.checkpoint, replan=agent.format.chunk)
    seen = frames(agent, 8)
    agent.reset("lift the red cube")
    held, resident = 0, 0.0
    tracemalloc.start()
    try:
        for step in range(steps):
            agent.act(seen[step % len(seen)])
            if step == steps // 10:
                gc.collect()
                held, resident = tracemalloc.get_traced_memory()[0], resident_memory() or 0.0
        gc.collect()
        grown, resident = tracemalloc.get_traced_memory()[0] - held, (resident_memory() or 0.0) - resident
    finally:
        tracemalloc.stop()
    name = f"grown over {steps} steps"
    return [
        Row(f"Python's memory {name}", grown / 1024, "KB", goal="<= 64"),
        Row(f"resident memory {name}", resident, "MB", goal="<= 8"),
    ]
