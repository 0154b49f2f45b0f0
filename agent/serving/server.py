"""AgentServer: listens, authorises connections, and shuts down gracefully."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from embodio.agent.client.messages import WATCH_PROTOCOL
from embodio.agent.serving import http
from embodio.agent.serving.batcher import Batcher
from embodio.agent.serving.clients import Clients
from embodio.agent.serving.metrics import Metrics
from embodio.agent.serving.policy import ServedPolicy
from embodio.agent.serving.robots import Robots
from embodio.agent.serving.settings import ServerSettings, ServingError
from embodio.agent.serving.watch import Watch

_LAST_ANSWER_SECONDS = 0.5
"""Seconds for cancelled slow requests to send their error."""


class AgentServer:
    """Serves a policy; use `start`, then `stop`, in one event loop.

    Args:
        policy: the policy to serve.
        settings: options of the server.
    """

    def __init__(self, policy: ServedPolicy, settings: ServerSettings) -> None:
        self.policy, self.settings, self.metrics = policy, settings, Metrics()
        self._stopping = False

    async def start(self) -> str:
        """Starts serving; returns the address.

        Raises:
            ServingError: if the port is taken or the certificate cannot be read.
        """
        settings, tls, info = self.settings, self.settings.tls(), self.policy.info
        self._batcher = Batcher(self.policy, settings.max_batch, settings.max_waiting, self.metrics)
        clients = Clients(settings.keep_seconds, settings.max_clients)
        self._watch = Watch(clients, self.policy.embodiment.to_dict(), str(info.get("folder", "")))
        self._robots = Robots(self.policy, info, settings, self.metrics, self._batcher, clients, self._watch)
        quiet = logging.getLogger("embodio.agent.serving.websockets")
        quiet.setLevel(logging.CRITICAL)
        try:
            self._server: Server = await serve(
                self._handle,
                settings.host,
                settings.port,
                ssl=tls,
                process_request=self._before,
                select_subprotocol=lambda _, offered: next((o for o in offered if o == WATCH_PROTOCOL), None),
                compression=None,
                max_size=settings.max_bytes,
                max_queue=4,
                ssl_handshake_timeout=None if tls is None else settings.message_seconds,
                open_timeout=settings.message_seconds,
                close_timeout=1,
                ping_interval=settings.ping_seconds,
                ping_timeout=settings.ping_seconds,
                logger=quiet,
            )
        except OSError as error:
            self._batcher.stop()
            raise ServingError(
                f"host, port: cannot listen at {settings.host}:{settings.port} ({error}); port=0 takes a free one"
            ) from error
        port = next(iter(self._server.sockets)).getsockname()[1]
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        return f"{'ws' if tls is None else 'wss'}://{host}:{port}"

    async def stop(self) -> bool:
        """Refuses new requests, finishes running ones, then closes all connections.

        Slow requests that run for longer than `stop_seconds` are cancelled with ServerStopping.

        Returns:
            Whether the policy has finished; if not, its thread is still computing.
        """
        self._stopping = True
        await self._robots.stop(time.monotonic() + self.settings.stop_seconds)
        self._batcher.give_up()
        await self._robots.stop(time.monotonic() + _LAST_ANSWER_SECONDS)
        finished = not self._batcher.computing
        self._server.close()
        if finished:
            await self._server.wait_closed()
        self._batcher.stop()
        return finished

    async def _handle(self, connection: ServerConnection) -> None:
        request = connection.request
        if request is not None and request.path.partition("?")[0] == "/watch":
            await self._watch.serve(connection)
        else:
            await self._robots.serve(connection)

    def _before(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers plain HTTP requests, and refuses unauthorised connections."""
        path, settings = request.path.partition("?")[0], self.settings
        if not http.is_websocket(request):
            return self._plain(path, request)
        if not http.may_enter(request, settings.token):
            self.metrics.refused["Unauthorised"] += 1
            reason = "the token is missing or wrong; give token= as the server's owner set it"
            return http.refuse(HTTPStatus.UNAUTHORIZED, "Unauthorised", reason)
        if not http.from_own_page(request, trusted=settings.token is not None or settings.open):
            self.metrics.refused["origin"] += 1
            return http.refuse(HTTPStatus.FORBIDDEN, "Unauthorised", "pages of other servers may not connect")
        if path not in ("/", "/watch"):
            return http.refuse(HTTPStatus.NOT_FOUND, "ServerUnreachable", "nothing is served at this path; use /")
        if self._stopping:
            return http.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "ServerStopping", "the server is shutting down")
        if self._robots.full if path == "/" else self._watch.pages >= settings.max_clients:
            self.metrics.refused["Overloaded"] += 1
            reason = f"the server has reached its limit of {settings.max_clients} clients; try again later"
            return http.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "Overloaded", reason)
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
            return http.refuse(HTTPStatus.UNAUTHORIZED, "Unauthorised", "metrics need the token as a bearer token")
        text = self.metrics.text(
            clients=len(self._robots), waiting_requests=self._batcher.waiting, pages=self._watch.pages
        )
        return http.respond(HTTPStatus.OK, text, "text/plain; version=0.0.4; charset=utf-8")
