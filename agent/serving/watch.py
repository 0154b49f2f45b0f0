"""What people see: the newest step of each robot, sent to the pages that are open."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
from typing import Any

import numpy as np
from PIL import Image
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from embodio.agent.serving.clients import Client, Clients

_SECONDS_BETWEEN = 0.1
_LONGEST_SIDE = 320


class Watch:
    """The open pages; a slow one misses steps and holds up nobody.

    Args:
        clients: whose steps are shown.
        embodiment: of the robots, as plain values.
        info: of the agent.
    """

    def __init__(self, clients: Clients, embodiment: dict[str, Any], info: dict[str, Any]) -> None:
        self._clients, self._embodiment, self._info = clients, embodiment, info
        self._pages: dict[ServerConnection, asyncio.Queue[str]] = {}
        self._shown: dict[int, float] = {}

    @property
    def pages(self) -> int:
        """Pages that are open."""
        return len(self._pages)

    async def serve(self, connection: ServerConnection) -> None:
        """Feeds one page, and takes its instructions, until it is closed."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=8)
        hello = {"type": "hello", "embodiment": self._embodiment, "folder": str(self._info.get("folder", ""))}
        await connection.send(json.dumps(hello))
        self._pages[connection] = queue
        feeding = asyncio.create_task(self._feed(connection, queue))
        try:
            async for text in connection:
                self._order(text)
        except ConnectionClosed:
            pass
        finally:
            del self._pages[connection]
            feeding.cancel()

    def step(self, client: Client, observation: Any, action: Any, waited: float, computed: float) -> None:
        """Shows a step, unless nobody looks or the last one was a moment ago."""
        now = time.monotonic()
        if not self._pages or now - self._shown.get(client.number, 0.0) < _SECONDS_BETWEEN:
            return
        self._shown[client.number] = now
        asyncio.get_running_loop().run_in_executor(
            None, self._draw, asyncio.get_running_loop(), client, observation, action, waited, computed
        )

    def _draw(
        self, loop: asyncio.AbstractEventLoop, client: Client, observation: Any, action: Any, *times: float
    ) -> None:
        told = client.instruction if isinstance(client.instruction, str) else "(not text)"
        message = {
            "type": "step",
            "client": client.number,
            "name": client.name,
            "instruction": told,
            "action": [float(value) for value in np.asarray(action)],
            "milliseconds": [1000 * seconds for seconds in times],
            "frames": {name: _picture(value) for name, value in observation.items() if _is_image(value)},
        }
        loop.call_soon_threadsafe(self._spread, json.dumps(message))

    def _spread(self, text: str) -> None:
        for queue in self._pages.values():
            if not queue.full():
                queue.put_nowait(text)

    async def _feed(self, connection: ServerConnection, queue: asyncio.Queue[str]) -> None:
        try:
            while True:
                await connection.send(await queue.get())
        except ConnectionClosed:
            return

    def _order(self, text: str | bytes) -> None:
        """An instruction that somebody typed; anything else is ignored."""
        try:
            order = json.loads(text)
            number, instruction = order["client"], order["instruction"]
        except (ValueError, KeyError, TypeError):
            return
        for client in self._clients.active():
            if client.number == number and isinstance(instruction, str) and instruction.strip():
                client.ordered = instruction.strip()


def _is_image(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3


def _picture(frame: np.ndarray) -> str:
    """A frame as a data URL, made small."""
    image = Image.fromarray(frame)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
