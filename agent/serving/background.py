"""Server entry points: in the foreground until a signal, or in a thread for notebooks and tests."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embodio.agent.errors import AgentError
from embodio.agent.serving.policy import ServedPolicy
from embodio.agent.serving.server import AgentServer
from embodio.agent.serving.settings import ServerSettings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve_until_signal(
    policy: ServedPolicy, settings: ServerSettings, started: Callable[[str], None], stopping: Callable[[], None]
) -> None:
    """Serves until SIGINT or SIGTERM, then finishes running requests; a second signal ends the process at once.

    If requests still run after `settings.stop_seconds`, the process exits with 1, as their thread cannot be stopped.

    Args:
        policy: the policy to serve.
        settings: options of the server.
        started: called with the address.
        stopping: called at the first signal.

    Raises:
        ServingError: if the server cannot listen there.
    """
    server = AgentServer(policy, settings)

    async def main() -> bool:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        address = await server.start()
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.set)
        started(address)
        await stop.wait()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stopping()
        return await server.stop()

    if not asyncio.run(main()):
        os._exit(1)


@contextmanager
def serving(policy: ServedPolicy, settings: ServerSettings) -> Iterator[str]:
    """Serves in a thread; yields the address, and shuts down gracefully at the end.

    Raises:
        ServingError: if the server cannot listen there.
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
