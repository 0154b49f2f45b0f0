"""How an agent is served, and the error for settings that cannot work."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from embodio.agent.errors import AgentError

LOCAL = ("127.0.0.1", "::1", "localhost")


class ServingError(AgentError):
    """The server cannot be started as it was asked for."""


@dataclass(frozen=True)
class ServerSettings:
    """Where and how to serve.

    Attributes:
        host: address to listen at; another than this machine's own needs a token, or `open`.
        port: to listen at; 0 takes a free one.
        token: that clients must send; None lets everyone in who can reach the port.
        open: allow another host without a token.
        certificate: PEM file for TLS; None serves without.
        key: PEM file of its private key.
        max_clients: robots at once.
        max_bytes: of one message.
        max_waiting: requests in the queue.
        max_batch: requests that are computed together.
        deadline: seconds that a request may wait, if its client does not want it sooner.
        message_seconds: for the handshake of TLS, a greeting, the rest of a message that has begun, or the taking of an
            answer.
        keep_seconds: an episode outlives a broken connection by so much.
        stop_seconds: running requests have at most so long when the server stops.
        ping_seconds: between two signs of life, and for the answer to one.
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
            raise ServingError("token: shorter than 8 characters; take a longer one")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise ServingError("token: has letters beyond ASCII, which HTTP does not carry; take another")
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
