"""One open connection to an agent server: the handshake, the exchange of requests, and its errors."""

from __future__ import annotations

import inspect
import json
import platform
import socket
import ssl
import struct
import time
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import connect

from embodio.agent.client.errors import (
    DeadlineExceeded,
    MessageError,
    MessageTooLarge,
    ProtocolMismatch,
    ServerUnreachable,
    Unauthorised,
    error_named,
)
from embodio.agent.client.messages import PROTOCOL, field, pack, unpack
from embodio.agent.errors import AgentError

_TOO_LARGE = 1009
_TEMPORARY = 503


class Broken(Exception):
    """The connection ended; internal, `RemoteAgent` reconnects or raises a public error.

    Args:
        message: what happened.
        reason: the error of a server that is temporarily unavailable.
    """

    def __init__(self, message: str, reason: Exception | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class Link:
    """An open connection after the handshake.

    Args:
        url: "ws://host:port" or "wss://host:port".
        token: the server's token, or None.
        embodiment: the robot's embodiment as plain values, checked by the server; None skips the check.
        session: session of an earlier connection, to continue its episode; None starts a new one.
        tls: context for wss with certificates that this machine does not trust.
        seconds: time limit of the whole handshake.

    Raises:
        Broken: no server listens there, or it is temporarily unavailable; try again.
        RemoteError: the server refuses the token, version or robot.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        embodiment: Any,
        session: str | None,
        tls: ssl.SSLContext | None,
        seconds: float,
    ) -> None:
        options = _options(token, tls, seconds)
        try:
            self._socket = connect(url, **options)
        except InvalidURI as error:
            raise ServerUnreachable(f"{url}: not an address; write ws://host:port or wss://host:port") from error
        except InvalidStatus as error:
            raise _refusal(url, error) from error
        except ssl.SSLError as error:
            raise ServerUnreachable(
                f"{url}: TLS failed ({error}); give tls= a context that trusts the server"
            ) from error
        except InvalidHandshake as error:
            raise ServerUnreachable(f"{url}: no agent server answers there ({error}); check the port") from error
        except (OSError, EOFError, ConnectionClosed) as error:
            raise Broken(str(error) or type(error).__name__) from error
        try:
            self._socket.send(
                pack(
                    {
                        "type": "hello",
                        "protocol": PROTOCOL,
                        "client": f"Python {platform.python_version()} on {platform.node()}",
                        "embodiment": embodiment,
                        "session": session,
                    }
                )
            )
            self.welcome = self._receive(time.monotonic() + seconds, None)
        except ConnectionClosed as error:
            raise Broken(str(error)) from error
        except AgentError:
            self.close()
            raise
        if field(self.welcome, "protocol", int) != PROTOCOL:
            self.close()
            raise ProtocolMismatch(
                f"protocol: client {PROTOCOL}, server {self.welcome['protocol']}; install one version"
            )
        self.session = field(self.welcome, "session", str)
        self.resumed = field(self.welcome, "resumed", bool)
        self.most_bytes = int(field(self.welcome, "limits", dict)["bytes"])

    def exchange(self, data: bytes, number: int, until: float) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Args:
            data: the packed request.
            number: its id; answers to earlier requests are skipped.
            until: deadline on the monotonic clock.

        Raises:
            Broken: the connection ended.
            DeadlineExceeded: no answer arrived in time.
            AgentError: the error that the server reports.
        """
        try:
            self._limit_sending(until - time.monotonic())
            self._socket.send(data)
            return self._receive(until, number)
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code == _TOO_LARGE:
                raise MessageTooLarge(
                    f"request: {len(data)} bytes are more than the server accepts; send smaller images"
                ) from error
            raise Broken(str(error)) from error
        except OSError as error:
            raise Broken(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Closes the connection in order; the server then forgets the episode."""
        self._socket.close()

    def _limit_sending(self, seconds: float) -> None:
        """Limits `send`, so that a server that hangs and reads no bytes cannot block it forever."""
        whole, part = divmod(max(0.1, seconds), 1.0)
        limit = struct.pack("@ll", int(whole), int(part * 1e6))
        self._socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def _receive(self, until: float, number: int | None) -> dict[str, Any]:
        while True:
            try:
                data = self._socket.recv(timeout=max(0.0, until - time.monotonic()))
            except TimeoutError as error:
                raise DeadlineExceeded(
                    "no answer arrived in time; the server is busy or hangs: look at its /metrics, or raise deadline="
                ) from error
            if not isinstance(data, bytes):
                raise MessageError("answer: expected bytes, got text; check that this is an agent server")
            message = unpack(data)
            answered = message.get("id")
            if answered is not None and answered != number:
                continue
            if message["type"] == "error":
                raise error_named(field(message, "name", str), field(message, "message", str))
            return message


def _options(token: str | None, tls: ssl.SSLContext | None, seconds: float) -> dict[str, Any]:
    """Keywords of `connect`; raises Unauthorised where HTTP cannot carry the token."""
    options: dict[str, Any] = {"compression": None, "max_size": None, "open_timeout": seconds, "close_timeout": 1}
    if token is not None:
        if not (token.isascii() and token.isprintable()):
            raise Unauthorised("token: has characters beyond ASCII, which HTTP cannot carry; give the server's token")
        options["additional_headers"] = {"Authorization": f"Bearer {token}"}
    if tls is not None:
        options["ssl"] = tls
    # Newer versions look for a proxy, and need legacy=True to return the connection itself.
    newer = {"proxy": None, "legacy": True}
    known = inspect.signature(connect).parameters
    options.update({name: value for name, value in newer.items() if name in known})
    return options


def _refusal(url: str, error: InvalidStatus) -> Exception:
    """The error for an HTTP response in place of a connection."""
    status = error.response.status_code
    try:
        body = json.loads(error.response.body or b"")
        name, message = str(body["name"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        return ServerUnreachable(f"{url}: no agent server answers there (HTTP {status}); check address and port")
    reason = error_named(name, f"{url}: {message}")
    return Broken(message, reason) if status == _TEMPORARY else reason
