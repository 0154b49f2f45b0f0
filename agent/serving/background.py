"""A server until it is told to stop: in the foreground with signals, or in a thread for notebooks and tests."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embodio.agent.errors import AgentError
from embodio.agent.serving.policy import Policy
from embodio.agent.serving.server import AgentServer
from embodio.agent.serving.settings import ServerSettings


def serve_until_signal(policy: Policy, settings: ServerSettings, started: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM, then finishes what is running.

    Args:
        policy: to serve.
        settings: where and how.
        started: told the address.

    Raises:
        ServingError: if it cannot be served there.
    """
    server = AgentServer(policy, settings)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        started(await server.start())
        await stop.wait()
        await server.stop()

    asyncio.run(main())


@contextmanager
def serving(policy: Policy, settings: ServerSettings) -> Iterator[str]:
    """Serves in a thread; gives the address, and stops in good order at the end.

    Raises:
        ServingError: if it cannot be served there.
    """
    begun, found = threading.Event(), list[str | AgentError]()
    server = AgentServer(policy, settings)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def main() -> None:
        try:
            found.append(await server.start())
        except AgentError as error:
            found.append(error)
            return
        finally:
            begun.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), name="agent server", daemon=True)
    thread.start()
    begun.wait()
    if isinstance(found[0], AgentError):
        raise found[0]
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
