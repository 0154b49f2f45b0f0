"""AgentServer: robots connect, act and leave; nothing that one of them does harms another."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from embodio.agent.client.errors import DeadlineExceeded, MessageError, ProtocolMismatch, ServerStopping
from embodio.agent.client.messages import PROTOCOL, WATCH_PROTOCOL, field, pack, unpack
from embodio.agent.errors import AgentError
from embodio.agent.serving import http
from embodio.agent.serving.batcher import Batcher, Job
from embodio.agent.serving.clients import Client, Clients
from embodio.agent.serving.metrics import Metrics
from embodio.agent.serving.policy import Policy
from embodio.agent.serving.settings import ServerSettings, ServingError
from embodio.agent.serving.watch import Watch
from embodio.envs.embodiment import Embodiment
from embodio.envs.errors import EnvError

GOING_AWAY, REFUSED, GOODBYE = 1001, 1008, 1000


class AgentServer:
    """Serves a policy; use `start`, then `stop`, in one event loop.

    Args:
        policy: to serve.
        settings: where and how.
    """

    def __init__(self, policy: Policy, settings: ServerSettings) -> None:
        self.policy, self.settings, self.metrics = policy, settings, Metrics()
        self.clients = Clients(settings.keep_seconds)
        self._embodiment, self._info = policy.embodiment.to_dict(), policy.info
        self._watch = Watch(self.clients, self._embodiment, self._info)
        self._robots: dict[ServerConnection, bool] = {}
        self._stopping = False
        self._server: Server | None = None

    async def start(self) -> str:
        """Begins to serve; returns the address.

        Raises:
            ServingError: if the port is taken or the certificate cannot be read.
        """
        settings, tls = self.settings, self.settings.tls()
        self._batcher = Batcher(self.policy, settings.max_batch, settings.max_waiting, self.metrics)
        quiet = logging.getLogger("embodio.agent.serving.websockets")
        quiet.setLevel(logging.CRITICAL)
        try:
            self._server = await serve(
                self._handle,
                settings.host,
                settings.port,
                ssl=tls,
                process_request=self._before,
                select_subprotocol=lambda _, offered: next((o for o in offered if o == WATCH_PROTOCOL), None),
                compression=None,
                max_size=settings.max_bytes,
                max_queue=4,
                open_timeout=settings.message_seconds,
                close_timeout=1,
                ping_interval=settings.ping_seconds,
                ping_timeout=settings.ping_seconds,
                logger=quiet,
            )
        except OSError as error:
            await self._batcher.stop()
            raise ServingError(f"host, port: cannot listen at {settings.host}:{settings.port} ({error})") from error
        port = next(iter(self._server.sockets)).getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"{'ws' if tls is None else 'wss'}://{host}:{port}"

    async def stop(self) -> None:
        """Takes nothing new, finishes what is running, then closes everything."""
        if self._server is None:
            return
        self._stopping = True
        until = time.monotonic() + self.settings.stop_seconds
        idle = [connection for connection, busy in self._robots.items() if not busy]
        await asyncio.gather(*(connection.close(GOING_AWAY, "the server stops") for connection in idle))
        while self._robots and time.monotonic() < until:
            await asyncio.sleep(0.02)
        self._server.close()
        await self._server.wait_closed()
        await self._batcher.stop()

    def _before(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers plain HTTP requests, and refuses those that may not enter."""
        path, settings = request.path.partition("?")[0], self.settings
        if not http.is_websocket(request):
            return self._plain(path, request)
        if not http.may_enter(request, settings.token):
            self.metrics.refused["Unauthorised"] += 1
            told = "the token is missing or wrong; give token= as the server's owner set it"
            return http.refuse(HTTPStatus.UNAUTHORIZED, "Unauthorised", told)
        if not http.from_own_page(request):
            self.metrics.refused["origin"] += 1
            return http.refuse(HTTPStatus.FORBIDDEN, "Unauthorised", "pages of other servers may not connect")
        if path not in ("/", "/watch"):
            return http.refuse(HTTPStatus.NOT_FOUND, "ServerUnreachable", "nothing is served at this path; use /")
        if self._stopping:
            return http.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "ServerStopping", "the server is shutting down")
        full = len(self._robots) >= settings.max_clients if path == "/" else self._watch.pages >= settings.max_clients
        if full:
            self.metrics.refused["Overloaded"] += 1
            told = f"the server has {settings.max_clients} clients, as many as it takes"
            return http.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Overloaded", told)
        return None

    def _plain(self, path: str, request: Request) -> Response:
        if path == "/":
            return http.page()
        if path == "/healthz":
            state = HTTPStatus.SERVICE_UNAVAILABLE if self._stopping else HTTPStatus.OK
            return http.respond(state, "stopping\n" if self._stopping else "ok\n", "text/plain")
        if path != "/metrics":
            return http.refuse(HTTPStatus.NOT_FOUND, "ServerUnreachable", "there are /, /healthz and /metrics")
        if not http.may_enter(request, self.settings.token):
            return http.refuse(HTTPStatus.UNAUTHORIZED, "Unauthorised", "metrics want the token as a bearer")
        text = self.metrics.text(clients=len(self._robots), waiting=self._batcher.waiting, pages=self._watch.pages)
        return http.respond(HTTPStatus.OK, text, "text/plain; version=0.0.4")

    async def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        if request is not None and request.path.partition("?")[0] == "/watch":
            await self._watch.serve(connection)
            return
        self._robots[connection] = False
        client: Client | None = None
        try:
            client = await self._greet(connection)
            while not self._stopping:
                message = unpack(await self._receive(connection, None))
                self._robots[connection] = True
                await self._send(connection, await self._answer(client, message))
                self._robots[connection] = False
            await connection.close(GOING_AWAY, "the server stops")
        except (AgentError, EnvError) as error:
            self.metrics.refused[type(error).__name__] += 1
            await self._refuse(connection, error)
        except ConnectionClosed:
            pass
        finally:
            self._robots.pop(connection, None)
            if client is not None:
                self.clients.leave(client, connection, connection.close_code == GOODBYE)

    async def _greet(self, connection: ServerConnection) -> Client:
        """The handshake: versions, robot, and the episode to go on with."""
        hello = unpack(await self._receive(connection, self.settings.message_seconds))
        if hello["type"] != "hello":
            raise MessageError(f"{hello['type']}: expected hello first; client and server may differ in version")
        if field(hello, "protocol", int) != PROTOCOL:
            raise ProtocolMismatch(f"protocol: server {PROTOCOL}, client {hello['protocol']}; install one version")
        robot = field(hello, "embodiment", dict, type(None))
        if robot is not None:
            self.policy.check_embodiment(Embodiment.from_dict(robot))
        client = self.clients.resume(field(hello, "session", str, type(None)))
        resumed = client is not None
        if client is None:
            client = self.clients.open(self.policy.open(), field(hello, "client", str)[:80])
        before, client.connection, client.lost = client.connection, connection, None
        if before is not None:
            before.transport.abort()
        welcome = {"type": "welcome", "protocol": PROTOCOL, "session": client.key, "resumed": resumed}
        welcome |= {"embodiment": self._embodiment, "info": self._info, "limits": {"bytes": self.settings.max_bytes}}
        await self._send(connection, pack(welcome))
        return client

    async def _answer(self, client: Client, message: dict[str, Any]) -> bytes:
        """The packed answer; that of a request which was seen before is not computed again."""
        number = field(message, "id", int)
        if client.answered is None or client.answered[0] != number:
            client.answered = (number, asyncio.ensure_future(self._compute(client, number, message)))
        return await asyncio.shield(client.answered[1])

    async def _compute(self, client: Client, number: int, message: dict[str, Any]) -> bytes:
        try:
            if message["type"] == "reset":
                instruction, seed = message.get("instruction"), field(message, "seed", int, type(None))
                await self._run(client, "reset", (instruction, seed), self.settings.deadline)
                client.instruction = client.instruction if instruction is None else instruction
                return pack({"type": "done", "id": number})
            if message["type"] != "act":
                raise MessageError(f"{message['type']}: no such request; there are reset and act")
            seconds = float(field(message, "seconds", float, int))
            if not (math.isfinite(seconds) and seconds > 0):
                raise MessageError(f"act.seconds: expected a positive number, got {seconds}")
            observation = field(message, "observation", dict)
            if client.ordered is not None:
                ordered, client.ordered = client.ordered, None
                await self._run(client, "reset", (ordered, None), self.settings.deadline)
                client.instruction = ordered
            limit = min(seconds, self.settings.deadline)
            action, waited, computed = await self._run(client, "act", (observation,), limit)
            self._watch.step(client, observation, action, waited, computed)
            answer = {"type": "action", "id": number, "action": action, "waited": waited, "computed": computed}
            return pack(answer)
        except AgentError as error:
            return _error(error, number)

    async def _run(
        self, client: Client, verb: str, arguments: tuple[Any, ...], seconds: float
    ) -> tuple[Any, float, float]:
        done: asyncio.Future[tuple[Any, float, float]] = asyncio.get_running_loop().create_future()
        job = Job(verb, client.state, arguments, time.monotonic() + seconds, done)
        result, waited, computed = await self._batcher.submit(job)
        if isinstance(result, AgentError):
            raise result
        return result, waited, computed

    async def _receive(self, connection: ServerConnection, seconds: float | None) -> bytes:
        """One message: it may take as long as it likes to begin unless `seconds` is given, but must then go on."""
        fragments = aiter(connection.recv_streaming())
        parts: list[Any] = []
        try:
            async with asyncio.timeout(seconds):
                parts.append(await anext(fragments))
            async with asyncio.timeout(self.settings.message_seconds):
                async for part in fragments:
                    parts.append(part)
        except TimeoutError as error:
            limit = self.settings.message_seconds
            raise DeadlineExceeded(f"message: it did not arrive within {limit:g} s; check the network") from error
        if not all(isinstance(part, bytes) for part in parts):
            raise MessageError("message: expected bytes, got text; messages are msgpack")
        return b"".join(parts)

    async def _send(self, connection: ServerConnection, data: bytes) -> None:
        """Sends; a client that does not take its answer is cut off."""
        try:
            async with asyncio.timeout(self.settings.message_seconds):
                await connection.send(data)
        except TimeoutError:
            self.metrics.refused["slow reader"] += 1
            connection.transport.abort()

    async def _refuse(self, connection: ServerConnection, error: Exception) -> None:
        try:
            await self._send(connection, _error(error, None))
            code = GOING_AWAY if isinstance(error, ServerStopping) else REFUSED
            await connection.close(code, type(error).__name__)
        except ConnectionClosed:
            return


def _error(error: Exception, number: int | None) -> bytes:
    return pack({"type": "error", "id": number, "name": type(error).__name__, "message": str(error)})
