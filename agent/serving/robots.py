"""Connections of robots: the handshake, requests answered one at a time, and episodes kept on disconnection."""

from __future__ import annotations

import asyncio
import math
import time
from functools import partial
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from embodio.agent.client.answers import to_plain
from embodio.agent.client.errors import DeadlineExceeded, MessageError, Overloaded, ProtocolMismatch
from embodio.agent.client.messages import PROTOCOL, field, pack, unpack
from embodio.agent.client.verbs import check_arguments
from embodio.agent.serving.batcher import ANSWERS, Batcher, ClientLeft, Job
from embodio.agent.serving.clients import Client, Clients
from embodio.agent.serving.metrics import Metrics
from embodio.agent.serving.policy import ServedPolicy
from embodio.agent.serving.settings import ServerSettings
from embodio.agent.serving.watch import Watch
from embodio.envs.embodiment import Embodiment

GOING_AWAY, REFUSED, GOODBYE = 1001, 1008, 1000
_STEPS = ("act", "decide", "plan")
_RETURN_SECONDS = 2.0
"""Seconds that a slow request keeps running for a client with a broken connection."""


class Robots:
    """All connected robots; no client can affect another.

    Args:
        policy: the served policy.
        info: info of the policy, which may be slow to compute.
        settings: options of the server.
        metrics: metrics to update.
        batcher: the queue of the policy.
        clients: episodes of the robots.
        watch: the open pages.
    """

    def __init__(
        self,
        policy: ServedPolicy,
        info: dict[str, Any],
        settings: ServerSettings,
        metrics: Metrics,
        batcher: Batcher,
        clients: Clients,
        watch: Watch,
    ) -> None:
        self._policy, self._info, self._settings, self._metrics = policy, info, settings, metrics
        self._batcher, self._clients, self._watch = batcher, clients, watch
        self._busy: dict[ServerConnection, bool] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._busy)

    @property
    def full(self) -> bool:
        """Whether the limit of clients is reached."""
        return len(self._busy) >= self._settings.max_clients

    async def stop(self, until: float) -> None:
        """Refuses new requests, and waits for running ones until a time on the monotonic clock."""
        self._stopping = True
        idle = [connection for connection, busy in self._busy.items() if not busy]
        await asyncio.gather(*(connection.close(GOING_AWAY, "the server stops") for connection in idle))
        while self._busy and time.monotonic() < until:
            await asyncio.sleep(0.02)

    async def serve(self, connection: ServerConnection) -> None:
        """Serves one robot until it leaves."""
        client: Client | None = None
        full = self.full
        self._busy[connection] = False
        try:
            if full:
                raise Overloaded(
                    f"the server has reached its limit of {self._settings.max_clients} clients; try again later"
                )
            client = await self._greet(connection)
            self._watch.robots_changed()
            closed = asyncio.ensure_future(connection.wait_closed())
            while not self._stopping:
                message = unpack(await self._receive(connection, None))
                self._busy[connection] = True
                answer = asyncio.ensure_future(self._answer(client, connection, message))
                await asyncio.wait((answer, closed), return_when=asyncio.FIRST_COMPLETED)
                if closed.done():
                    self._clients.leave(client, connection, connection.close_code == GOODBYE)
                await self._send(connection, await answer)
                self._busy[connection] = False
            await connection.close(GOING_AWAY, "the server stops")
        except ANSWERS as error:
            self._metrics.refused[type(error).__name__] += 1
            await self._refuse(connection, error)
        except ConnectionClosed:
            pass
        finally:
            self._busy.pop(connection, None)
            if client is not None:
                self._clients.leave(client, connection, connection.close_code == GOODBYE)
                self._watch.robots_changed()

    async def _greet(self, connection: ServerConnection) -> Client:
        """The handshake: checks version and robot, and opens or resumes an episode."""
        hello = unpack(await self._receive(connection, self._settings.message_seconds))
        if hello["type"] != "hello":
            raise MessageError(f"{hello['type']}: expected hello first; client and server may differ in version")
        if field(hello, "protocol", int) != PROTOCOL:
            raise ProtocolMismatch(f"protocol: server {PROTOCOL}, client {hello['protocol']}; install one version")
        robot = field(hello, "embodiment", dict, type(None))
        if robot is not None:
            await asyncio.to_thread(self._require_robot, robot)
        client = self._clients.resume(field(hello, "session", str, type(None)))
        resumed = client is not None
        if client is None:
            client = self._clients.open(self._policy.open(), field(hello, "client", str)[:80])
        before, client.connection, client.lost = client.connection, connection, None
        if before is not None:
            before.transport.abort()
        welcome = {"type": "welcome", "protocol": PROTOCOL, "session": client.key, "resumed": resumed}
        welcome |= {"embodiment": self._policy.embodiment.to_dict(), "keys": list(self._policy.observation_keys)}
        welcome |= {"info": self._info, "limits": {"bytes": self._settings.max_bytes}}
        await self._send(connection, pack(welcome))
        return client

    def _require_robot(self, plain: dict[str, Any]) -> None:
        """Raises EmbodimentError or EmbodimentMismatch; runs in a thread, as a robot may have thousands of parts."""
        self._policy.check_embodiment(Embodiment.from_dict(plain))

    async def _answer(self, client: Client, connection: ServerConnection, message: dict[str, Any]) -> bytes:
        """The packed answer, empty if the client left; a repeated request is not computed twice."""
        if message["type"] != "call":
            raise MessageError(f"{message['type']}: expected call; client and server may differ in version")
        number = field(message, "id", int)
        while True:
            if client.answered is None or client.answered[0] != number:
                client.answered = (number, asyncio.ensure_future(self._call(client, number, message)))
            answer = await asyncio.shield(client.answered[1])
            if answer or client.connection is not connection:
                return answer

    async def _call(self, client: Client, number: int, message: dict[str, Any]) -> bytes:
        """The packed answer; empty if it was cancelled because the client left, and must be requested again."""
        try:
            verb, arguments = field(message, "verb", str), field(message, "arguments", dict)
            check_arguments(verb, arguments)
            seconds = float(field(message, "seconds", float, int))
            if not (math.isfinite(seconds) and seconds > 0):
                raise MessageError(f"seconds: expected a positive number, got {seconds}")
            if verb == "check_embodiment":
                arguments = {"embodiment": await asyncio.to_thread(Embodiment.from_dict, arguments["embodiment"])}
            if verb in _STEPS:
                await self._follow_order(client)
            value, waited, computed = await self._run(client, verb, arguments, seconds)
            if verb == "reset":
                client.instruction = (
                    client.instruction if arguments["instruction"] is None else arguments["instruction"]
                )
                self._watch.robots_changed()
            elif verb == "act":
                self._watch.step(client, arguments["observation"], value, waited, computed)
            answer = {"type": "answer", "id": number, "value": to_plain(value), "waited": waited, "computed": computed}
            return pack(answer)
        except ClientLeft:
            client.answered = None
            return b""
        except ANSWERS as error:
            return _error(error, number)

    async def _follow_order(self, client: Client) -> None:
        """Applies an instruction from the page before the next step; if the policy refuses it, nothing changes."""
        if client.ordered is None:
            return
        ordered, client.ordered = client.ordered, None
        try:
            await self._run(client, "instruct", {"instruction": ordered}, self._settings.deadline)
            client.instruction, client.refused = ordered, None
        except ANSWERS as error:
            client.refused = str(error)
        self._watch.robots_changed()

    async def _run(
        self, client: Client, verb: str, arguments: dict[str, Any], seconds: float
    ) -> tuple[Any, float, float]:
        done: asyncio.Future[tuple[Any, float, float]] = asyncio.get_running_loop().create_future()
        waits = min(seconds, self._settings.deadline)
        return await self._batcher.submit(
            Job(verb, client.state, arguments, waits, seconds, done, partial(client.expected, _RETURN_SECONDS))
        )

    async def _receive(self, connection: ServerConnection, seconds: float | None) -> bytes:
        """Receives one message; `seconds` limits the wait for its start, `message_seconds` the rest."""
        fragments = aiter(connection.recv_streaming())
        parts: list[Any] = []
        try:
            async with asyncio.timeout(seconds):
                parts.append(await anext(fragments))
            async with asyncio.timeout(self._settings.message_seconds):
                async for part in fragments:
                    parts.append(part)
        except TimeoutError as error:
            limit = self._settings.message_seconds
            raise DeadlineExceeded(f"message: it did not arrive within {limit:g} s; check the network") from error
        if not all(isinstance(part, bytes) for part in parts):
            raise MessageError("message: expected bytes, got text; messages are msgpack")
        return b"".join(parts)

    async def _send(self, connection: ServerConnection, data: bytes) -> None:
        """Sends a message; disconnects a client that does not read it in time."""
        try:
            async with asyncio.timeout(self._settings.message_seconds):
                await connection.send(data)
        except TimeoutError:
            self._metrics.refused["slow reader"] += 1
            connection.transport.abort()

    async def _refuse(self, connection: ServerConnection, error: Exception) -> None:
        try:
            await self._send(connection, _error(error, None))
            await connection.close(REFUSED, type(error).__name__)
        except ConnectionClosed:
            return


def _error(error: Exception, number: int | None) -> bytes:
    return pack({"type": "error", "id": number, "name": type(error).__name__, "message": str(error)})
