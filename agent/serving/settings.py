"""Server settings: addresses, limits and timeouts, validated on construction."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from embodio.agent.errors import AgentError

LOCAL = ("127.0.0.1", "::1", "localhost")


class ServingError(AgentError):
    """The server cannot be started with these settings."""


@dataclass(frozen=True)
class ServerSettings:
    """Settings of a server.

    Attributes:
        host: address to listen on; any but localhost needs a token, or `open`.
        port: port to listen on; 0 takes a free one.
        token: token that clients must send; None admits everyone who can reach the port.
        open: allow other hosts without a token.
        certificate: PEM file for TLS; None serves without TLS.
        key: PEM file of its private key.
        max_clients: largest number of connected robots.
        max_bytes: largest size of one message.
        max_waiting: largest number of requests in the queue.
        max_batch: largest number of requests computed together.
        deadline: seconds that a request may wait, unless its client's deadline is shorter.
        message_seconds: time limit of the TLS handshake, of the hello, of the rest of a message that has started, and
            of sending an answer.
        keep_seconds: how long an episode is kept after its connection broke.
        stop_seconds: time limit of running requests when the server stops.
        ping_seconds: interval of websocket pings, and time limit of their answers.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    token: str | None = None
    open: bool = False
    certificate: Path | None = None
    key: Path | None = None
    max_clients: int = 64
    max_bytes: int = 16_000_000
    max_waiting: int = 64
    max_batch: int = 16
    deadline: float = 10.0
    message_seconds: float = 20.0
    keep_seconds: float = 60.0
    stop_seconds: float = 10.0
    ping_seconds: float = 20.0

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < 8:
            raise ServingError("token: shorter than 8 characters; choose a longer one")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise ServingError("token: has characters beyond ASCII, which HTTP cannot carry; choose another")
        if self.host not in LOCAL and self.token is None and not self.open:
            raise ServingError(
                f"host: {self.host} can be reached from other machines; give a token (token_file=...), or "
                "open=true if everyone may drive this policy"
            )
        if (self.certificate is None) != (self.key is None):
            raise ServingError("certificate, key: TLS needs both")
        if not 0 <= self.port <= 65535:
            raise ServingError(f"port: got {self.port}, expected 0 to 65535; 0 takes a free one")
        for name in ("max_clients", "max_bytes", "max_waiting", "max_batch"):
            if getattr(self, name) < 1:
                raise ServingError(f"{name}: got {getattr(self, name)}, expected at least 1")
        for name in ("deadline", "message_seconds", "keep_seconds", "stop_seconds", "ping_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ServingError(f"{name}: got {getattr(self, name)}, expected a number of seconds above 0")

    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, or None.

        Raises:
            ServingError: if the files cannot be read or do not belong together.
        """
        if self.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ServingError(f"certificate, key: {error}; give two PEM files that belong together") from error
        return context
