"""Episodes of the server's clients, kept for a while after a connection breaks."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Client:
    """One robot's episode.

    Attributes:
        number: number shown to people.
        state: the policy's state of the episode.
        name: name given by the client.
        key: secret that lets a new connection resume the episode.
        instruction: the current instruction.
        ordered: a pending instruction from the page, followed from the next step on.
        refused: the error of the last one, if the policy refused it.
        answered: id of the newest request, and a future of its packed answer.
        connection: the current connection.
        lost: when the connection broke, on the monotonic clock; -inf after a goodbye.
    """

    number: int
    state: Any
    name: str
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    instruction: Any = None
    ordered: str | None = None
    refused: str | None = None
    answered: tuple[int, asyncio.Future[bytes]] | None = None
    connection: Any = None
    lost: float | None = None

    def expected(self, seconds: float) -> bool:
        """Whether it is connected, or was less than `seconds` ago."""
        return self.lost is None or time.monotonic() - self.lost < seconds


class Clients:
    """The clients of a server, connected or recently disconnected.

    Args:
        keep_seconds: seconds that an episode is kept after its connection broke.
        most_kept: largest number of episodes without a connection; the oldest are forgotten first.
    """

    def __init__(self, keep_seconds: float, most_kept: int) -> None:
        self._keep, self._most_kept = keep_seconds, most_kept
        self._by_key, self._count = dict[str, Client](), 0

    def open(self, state: Any, name: str) -> Client:
        """Adds a new client."""
        self._sweep()
        self._count += 1
        client = Client(self._count, state, name)
        self._by_key[client.key] = client
        return client

    def resume(self, key: str | None) -> Client | None:
        """The client with this key, or None if it is unknown or was forgotten."""
        self._sweep()
        return self._by_key.get(key) if key is not None else None

    def leave(self, client: Client, connection: Any, goodbye: bool) -> None:
        """Records the end of a connection; after a goodbye its episode is forgotten at once."""
        if client.connection is not connection:
            return
        client.connection, client.lost = None, time.monotonic()
        if goodbye:
            client.lost = -math.inf
            self._by_key.pop(client.key, None)

    def active(self) -> list[Client]:
        """The connected clients."""
        return [client for client in self._by_key.values() if client.connection is not None]

    def _sweep(self) -> None:
        oldest = time.monotonic() - self._keep
        lost = [client for client in self._by_key.values() if client.lost is not None]
        lost.sort(key=lambda client: client.lost or 0.0)
        for place, client in enumerate(lost):
            if (client.lost or 0.0) < oldest or place < len(lost) - self._most_kept:
                del self._by_key[client.key]
