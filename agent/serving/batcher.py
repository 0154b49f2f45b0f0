"""The queue between clients and the policy: bounded, with deadlines, and emptied many requests at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from embodio.agent.client.errors import DeadlineExceeded, Overloaded, PolicyFailed
from embodio.agent.errors import AgentError
from embodio.agent.serving.metrics import Metrics
from embodio.agent.serving.policy import Policy
from embodio.envs.errors import EnvError
from embodio.model import ModelError

LOG = logging.getLogger("embodio.agent.serving")
ANSWERS = (AgentError, EnvError, ModelError)
"""Errors that are answers, told to the client as they are; all others are faults, whose details stay in the log."""


_GATHER_SECONDS = 0.003
"""Robots that were answered together ask again almost together; so long, the first of them waits for the others."""


@dataclass
class Job:
    """A request on its way.

    Attributes:
        verb: one of `VERBS`, or "instruct".
        state: of the client.
        arguments: of the verb.
        seconds: that it may wait.
        done: set to (result or error, waited, computed).
    """

    verb: str
    state: Any
    arguments: dict[str, Any]
    seconds: float
    done: asyncio.Future[tuple[Any, float, float]]
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Computes requests in one thread: what has gathered while it was busy goes next, together.

    Args:
        policy: that computes.
        max_batch: requests computed together.
        max_waiting: beyond so many, requests are refused.
        metrics: that count.
    """

    def __init__(self, policy: Policy, max_batch: int, max_waiting: int, metrics: Metrics) -> None:
        self._policy, self._max_batch, self._max_waiting, self._metrics = policy, max_batch, max_waiting, metrics
        self._queue: deque[Job] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._task = asyncio.create_task(self._work())
        self.computing = False

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    async def submit(self, job: Job) -> tuple[Any, float, float]:
        """The result of a request, the seconds that it waited, and those of computing.

        Raises:
            Overloaded: if too many are waiting.
            DeadlineExceeded: if it waited too long.
            AgentError, EnvError, ModelError: what the policy says.
        """
        if len(self._queue) >= self._max_waiting:
            raise Overloaded(f"{len(self._queue)} requests are waiting; try again later, or start another server")
        self._queue.append(job)
        self._wake.set()
        result, waited, computed = await asyncio.shield(job.done)
        if isinstance(result, Exception):
            raise result
        return result, waited, computed

    async def stop(self) -> None:
        """Ends the worker; what is still in the queue is dropped."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        together = 1
        while True:
            await self._wake.wait()
            if len(self._queue) < together:
                await asyncio.sleep(_GATHER_SECONDS)
            jobs = [self._queue.popleft() for _ in range(min(self._max_batch, len(self._queue)))]
            if not self._queue:
                self._wake.clear()
            begin, acts = time.monotonic(), []
            for job in jobs:
                waited = begin - job.arrived
                if waited > job.seconds:
                    late = DeadlineExceeded(f"{job.verb}: waited {waited:.2f} s, longer than it may")
                    self._finish(job, late, begin, begin)
                elif job.verb == "act":
                    acts.append(job)
                elif job.verb == "instruct":
                    await self._compute([job], self._policy.instruct, job.state, *job.arguments.values())
                else:
                    await self._compute([job], self._policy.call, job.state, job.verb, job.arguments)
            together = len(jobs)
            if acts:
                self._metrics.rows.add(len(acts))
                states, observations = [job.state for job in acts], [job.arguments["observation"] for job in acts]
                await self._compute(acts, self._policy.act, states, observations)

    async def _compute(self, jobs: list[Job], function: Callable[..., Any], *arguments: Any) -> None:
        """Runs the policy in its thread; whatever breaks there becomes an answer."""
        begin, self.computing = time.monotonic(), True
        running = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        await asyncio.wait([running])
        end, self.computing, error = time.monotonic(), False, running.exception()
        if error is None:
            results = running.result() if jobs[0].verb == "act" else [running.result()]
        else:
            if not isinstance(error, ANSWERS):
                LOG.error("the policy failed", exc_info=error)
                error = PolicyFailed(f"{jobs[0].verb}: {type(error).__name__}; see the server's log, then call reset")
            results = [error] * len(jobs)
        for job, result in zip(jobs, results, strict=True):
            self._finish(job, result, begin, end)

    def _finish(self, job: Job, result: Any, begin: float, end: float) -> None:
        outcome = type(result).__name__ if isinstance(result, Exception) else "ok"
        self._metrics.answers[job.verb, outcome] += 1
        self._metrics.waited.add(begin - job.arrived)
        self._metrics.computed.add(end - begin)
        if not job.done.done():
            job.done.set_result((result, begin - job.arrived, end - begin))
