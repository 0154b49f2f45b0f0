"""The episodes of the clients of a server, which outlive a broken connection for a while."""

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
        number: for people to see.
        state: of the policy.
        name: what the client calls itself.
        key: that proves that a new connection belongs to it.
        instruction: what the robot was told.
        ordered: an instruction from the page, to be followed from the next step on.
        refused: why the last one was not followed.
        answered: id of the newest request, and its packed answer; a future while it is computed.
        connection: that serves it now.
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
        """Whether it is connected, or was until that many seconds ago and may come back."""
        return self.lost is None or time.monotonic() - self.lost < seconds


class Clients:
    """All of them.

    Args:
        keep_seconds: how long an episode is kept after its connection broke.
        most_kept: episodes without a connection; beyond that, those that broke first are forgotten.
    """

    def __init__(self, keep_seconds: float, most_kept: int) -> None:
        self._keep, self._most_kept = keep_seconds, most_kept
        self._by_key, self._count = dict[str, Client](), 0

    def open(self, state: Any, name: str) -> Client:
        """A new client."""
        self._sweep()
        self._count += 1
        client = Client(self._count, state, name)
        self._by_key[client.key] = client
        return client

    def resume(self, key: str | None) -> Client | None:
        """The client of a broken connection, or None if it is not known any more."""
        self._sweep()
        return self._by_key.get(key) if key is not None else None

    def leave(self, client: Client, connection: Any, goodbye: bool) -> None:
        """A connection ended; after a goodbye its episode is forgotten at once."""
        if client.connection is not connection:
            return
        client.connection, client.lost = None, time.monotonic()
        if goodbye:
            client.lost = -math.inf
            self._by_key.pop(client.key, None)

    def active(self) -> list[Client]:
        """Those that are connected."""
        return [client for client in self._by_key.values() if client.connection is not None]

    def _sweep(self) -> None:
        oldest = time.monotonic() - self._keep
        lost = [client for client in self._by_key.values() if client.lost is not None]
        lost.sort(key=lambda client: client.lost or 0.0)
        for place, client in enumerate(lost):
            if (client.lost or 0.0) < oldest or place < len(lost) - self._most_kept:
                del self._by_key[client.key]
