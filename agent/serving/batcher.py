"""The queue between clients and the policy: bounded, with deadlines, emptied many requests at a time, acting first."""

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
"""Errors that are answers, told to the client as they are; all others are faults, whose details stay in the log."""


_LONG = ("describe", "ask", "imagine")
"""Verbs that write or draw. They are computed one after the other, and make way for all others in their pauses."""
_GATHER_SECONDS = 0.003
"""Robots that were answered together ask again almost together; so long, the first of them waits for the others."""


class ClientLeft(AgentError):
    """A request was given up because nobody waits for its answer; nobody is told, either."""


@dataclass(eq=False)
class Job:
    """A request on its way.

    Attributes:
        verb: one of `VERBS`, or "instruct".
        state: of the client.
        arguments: of the verb.
        seconds: that it may wait.
        patience: seconds after which nobody wants the answer any more.
        done: set to (result or error, waited, computed).
        wanted: whether the client is still there; asked in the policy's thread.
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
    """Computes requests in one thread: what has gathered while it was busy goes next, together.

    Nothing that takes long holds up a robot: while the network writes or draws for one client, it stops between two
    layers as soon as another one wants to act, and goes on afterwards. So answers do not depend on each other.

    Args:
        policy: that computes.
        max_batch: requests computed together.
        max_waiting: requests beyond this number are refused.
        metrics: that count.
    """

    def __init__(self, policy: ServedPolicy, max_batch: int, max_waiting: int, metrics: Metrics) -> None:
        self._policy, self._max_batch, self._max_waiting, self._metrics = policy, max_batch, max_waiting, metrics
        self._queue: deque[Job] = deque()
        self._gathered = threading.Condition()
        self._giving_up = self._ended = self.computing = False
        self._together = 1
        self._loop = asyncio.get_running_loop()
        # Not a daemon: one that is cut off inside the network at the end of Python takes the process down with it.
        threading.Thread(target=self._work, name="policy").start()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    async def submit(self, job: Job) -> tuple[Any, float, float]:
        """The result of a request, the seconds that it waited, and those of computing.

        Raises:
            Overloaded: if too many are waiting.
            DeadlineExceeded: if it waited too long, or took longer than the client has patience.
            ServerStopping: if the server stops before the answer is complete.
            AgentError, EnvError, ModelError: what the policy says.
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
        """Ends what takes long at its next pause."""
        self._giving_up = True

    def stop(self) -> None:
        """Ends the thread, after what it computes just now; what is still in the queue is dropped."""
        with self._gathered:
            self._ended = self._giving_up = True
            self._gathered.notify()

    def _work(self) -> None:
        while jobs := self._wait():
            self.computing = True
            self._serve(jobs)
            self.computing = False

    def _wait(self) -> list[Job]:
        """The requests that are served next, once there are some; none at the end."""
        with self._gathered:
            while not self._queue and not self._ended:
                self._gathered.wait(1.0)
                self._ended = self._ended or not threading.main_thread().is_alive()
            self._gathered.wait_for(lambda: len(self._queue) >= self._together or self._ended, _GATHER_SECONDS)
            jobs = [] if self._ended else self._next()
        self._together = len(jobs)
        return jobs

    def _next(self, *, short: bool = False) -> list[Job]:
        """Takes the requests that are served next: those that are soon done first, then one that takes long."""
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
        """A pause in a long request: those that are soon done go first; raises where it shall not go on."""
        if self._giving_up:
            raise ServerStopping(f"{job.verb}: the server stops, and the answer takes too long")
        if time.monotonic() - job.arrived > job.patience:
            raise DeadlineExceeded(f"{job.verb}: not done within {job.patience:.2f} s; give deadline= more")
        if not job.wanted():
            raise ClientLeft(f"{job.verb}: the client left")
        if self._queue:
            with self._gathered:
                jobs = self._next(short=True)
            self._serve(jobs)

    def _compute(self, jobs: list[Job], function: Callable[..., list[Any]], *arguments: Any) -> None:
        """Runs the policy; whatever breaks there becomes an answer."""
        begin, outcome = time.monotonic(), _Outcome()
        with outcome:
            outcome.results = function(*arguments)
        error = outcome.error
        if error is not None and not isinstance(error, ANSWERS):
            LOG.error("the policy failed", exc_info=error)
            error = PolicyFailed(f"{jobs[0].verb}: {type(error).__name__}; see the server's log, then call reset")
        self._finish(jobs, outcome.results if error is None else [error] * len(jobs), begin)

    def _finish(self, jobs: list[Job], results: list[Any], begin: float) -> None:
        with suppress(RuntimeError):  # the server was closed before this was done
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
    """What a policy gave, or how it broke: a server outlives any fault of the policy."""

    results: list[Any]
    error: Exception | None = None

    def __enter__(self) -> None:
        self.results = []

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None
