"""The batching queue between clients and the policy: bounded, with deadlines, and `act` before slow verbs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from embodio.agent.client.errors import DeadlineExceeded, Overloaded, PolicyFailed, ServerStopping
from embodio.agent.errors import AgentError
from embodio.agent.serving.metrics import Metrics
from embodio.agent.serving.policy import ServedPolicy
from embodio.envs.errors import EnvError
from embodio.model import ModelError
from embodio.model.pauses import pausing

LOG = logging.getLogger("embodio.agent.serving")
ANSWERS = (AgentError, EnvError, ModelError)
"""Errors sent to the client as answers; all others are faults and only their type is sent, details are logged."""


_LONG = ("describe", "ask", "imagine")
"""Slow verbs, which generate text or images. They run one at a time and let all others run in their pauses."""
_GATHER_SECONDS = 0.003
"""Robots answered together ask again almost together; the first of them waits this long for the others."""


class ClientLeft(AgentError):
    """A request was cancelled because its client left; internal, never sent."""


@dataclass(eq=False)
class Job:
    """A queued request.

    Attributes:
        verb: one of `VERBS`, or "instruct".
        state: the policy's state of the client.
        arguments: arguments of the verb.
        seconds: longest time in the queue.
        patience: seconds after which the client no longer waits for the answer.
        done: set to (result or error, waited, computed), times in seconds.
        wanted: whether the client is still there; called in the policy's thread.
    """

    verb: str
    state: Any
    arguments: dict[str, Any]
    seconds: float
    patience: float
    done: asyncio.Future[tuple[Any, float, float]]
    wanted: Callable[[], bool] = lambda: True
    arrived: float = field(default_factory=time.monotonic)


class Batcher:
    """Computes requests in one thread: those that arrive while it is busy form the next batch.

    Slow requests do not delay robots: while the network generates for one client, it pauses between two layers as soon
    as another client wants to act, and continues afterwards. Answers do not depend on each other.

    Args:
        policy: the policy.
        max_batch: largest number of requests computed together.
        max_waiting: largest number of waiting requests; more are refused.
        metrics: metrics to update.
    """

    def __init__(self, policy: ServedPolicy, max_batch: int, max_waiting: int, metrics: Metrics) -> None:
        self._policy, self._max_batch, self._max_waiting, self._metrics = policy, max_batch, max_waiting, metrics
        self._queue: deque[Job] = deque()
        self._gathered = threading.Condition()
        self._giving_up = self._ended = self.computing = False
        self._together = 1
        self._loop = asyncio.get_running_loop()
        # Not a daemon: a daemon interrupted inside the network at interpreter exit would crash the process.
        threading.Thread(target=self._work, name="policy").start()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    async def submit(self, job: Job) -> tuple[Any, float, float]:
        """The result of a request, its seconds in the queue, and its seconds of computing.

        Raises:
            Overloaded: if too many requests are waiting.
            DeadlineExceeded: if it waited too long, or took longer than the client's patience.
            ServerStopping: if the server stops before the answer is complete.
            AgentError, EnvError, ModelError: errors of the policy.
        """
        with self._gathered:
            if len(self._queue) >= self._max_waiting:
                raise Overloaded(f"{len(self._queue)} requests are waiting; try again later, or start another server")
            self._queue.append(job)
            self._gathered.notify()
        result, waited, computed = await asyncio.shield(job.done)
        if isinstance(result, Exception):
            raise result
        return result, waited, computed

    def give_up(self) -> None:
        """Cancels a slow request at its next pause."""
        self._giving_up = True

    def stop(self) -> None:
        """Ends the thread after the running request; drops the queue."""
        with self._gathered:
            self._ended = self._giving_up = True
            self._gathered.notify()

    def _work(self) -> None:
        while jobs := self._wait():
            self.computing = True
            self._serve(jobs)
            self.computing = False

    def _wait(self) -> list[Job]:
        """Waits for the next batch of requests; empty at the end."""
        with self._gathered:
            while not self._queue and not self._ended:
                self._gathered.wait(1.0)
                self._ended = self._ended or not threading.main_thread().is_alive()
            self._gathered.wait_for(lambda: len(self._queue) >= self._together or self._ended, _GATHER_SECONDS)
            jobs = [] if self._ended else self._next()
        self._together = len(jobs)
        return jobs

    def _next(self, *, short: bool = False) -> list[Job]:
        """Takes the next batch from the queue: fast requests first, then one slow request."""
        chosen = [job for job in self._queue if job.verb not in _LONG][: self._max_batch]
        if not short:
            chosen += [job for job in self._queue if job.verb in _LONG][:1]
        for job in chosen:
            self._queue.remove(job)
        return chosen

    def _serve(self, jobs: list[Job]) -> None:
        begin, acts, long = time.monotonic(), list[Job](), list[Job]()
        for job in jobs:
            waited = begin - job.arrived
            if waited > min(job.seconds, job.patience):
                self._finish([job], [DeadlineExceeded(f"{job.verb}: waited {waited:.2f} s, longer than it may")], begin)
            elif job.verb == "act":
                acts.append(job)
            elif job.verb in _LONG:
                long.append(job)
            else:
                self._compute([job], self._run, job)
        if acts:
            self._metrics.rows.add(len(acts))
            states, observations = [job.state for job in acts], [job.arguments["observation"] for job in acts]
            self._compute(acts, self._policy.act, states, observations)
        for job in long:
            self._compute([job], self._run_long, job)

    def _run(self, job: Job) -> list[Any]:
        if job.verb == "instruct":
            self._policy.instruct(job.state, *job.arguments.values())
            return [None]
        return [self._policy.call(job.state, job.verb, job.arguments)]

    def _run_long(self, job: Job) -> list[Any]:
        self._make_way(job)
        with pausing(partial(self._make_way, job)):
            return self._run(job)

    def _make_way(self, job: Job) -> None:
        """A pause in a slow request: serves fast ones first; raises if the request should be cancelled."""
        if self._giving_up:
            raise ServerStopping(f"{job.verb}: the server is stopping, and the answer takes too long")
        if time.monotonic() - job.arrived > job.patience:
            raise DeadlineExceeded(f"{job.verb}: not done within {job.patience:.2f} s; raise deadline=")
        if not job.wanted():
            raise ClientLeft(f"{job.verb}: the client left")
        if self._queue:
            with self._gathered:
                jobs = self._next(short=True)
            self._serve(jobs)

    def _compute(self, jobs: list[Job], function: Callable[..., list[Any]], *arguments: Any) -> None:
        """Runs the policy; any exception becomes an answer."""
        begin, outcome = time.monotonic(), _Outcome()
        with outcome:
            outcome.results = function(*arguments)
        error = outcome.error
        if error is not None and not isinstance(error, ANSWERS):
            LOG.error("the policy failed", exc_info=error)
            error = PolicyFailed(f"{jobs[0].verb}: {type(error).__name__}; see the server's log, then call reset")
        self._finish(jobs, outcome.results if error is None else [error] * len(jobs), begin)

    def _finish(self, jobs: list[Job], results: list[Any], begin: float) -> None:
        with suppress(RuntimeError):  # the event loop is already closed
            self._loop.call_soon_threadsafe(self._tell, jobs, results, begin, time.monotonic())

    def _tell(self, jobs: list[Job], results: list[Any], begin: float, end: float) -> None:
        for job, result in zip(jobs, results, strict=True):
            outcome = type(result).__name__ if isinstance(result, Exception) else "ok"
            self._metrics.answers[job.verb, outcome] += 1
            self._metrics.waited.add(begin - job.arrived)
            self._metrics.computed.add(end - begin)
            if not job.done.done():
                job.done.set_result((result, begin - job.arrived, end - begin))


class _Outcome:
    """The results of a policy, or its exception: the server survives any fault of the policy."""

    results: list[Any]
    error: Exception | None = None

    def __enter__(self) -> None:
        self.results = []

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None
