"""The watch page's feed: the connected robots and the newest step of each, sent to all open pages.

Messages are JSON. To a page:

    hello   embodiment, agent, robots
    robots  robots: a list of {client, name, instruction, ordered, refused}; sent whenever it changes
    step    client, actions [N][A], frames {camera: [N images]}, milliseconds: [waited, computed] of each step since
            the last one shown; a newly opened page gets the newest step of each robot

From a page: {client, instruction}, which the robot follows from its next step on.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from embodio.agent.serving.clients import Client, Clients

_SECONDS_BETWEEN = 0.1
_LONGEST_SIDE = 320
_MOST_ROWS = 4
_MOST_TIMES = 200
_LONGEST_INSTRUCTION = 500


class Watch:
    """The open pages; a slow page misses steps and delays no other.

    Args:
        clients: the clients to show.
        embodiment: embodiment of the robots, as plain values.
        folder: folder of the agent.
    """

    def __init__(self, clients: Clients, embodiment: dict[str, Any], folder: str) -> None:
        self._clients, self._embodiment, self._agent = clients, embodiment, Path(folder).name
        self._pages: dict[ServerConnection, asyncio.Queue[str]] = {}
        self._shown: dict[int, float] = {}
        self._newest: dict[int, tuple[dict[str, Any], np.ndarray, list[float]]] = {}
        self._times: defaultdict[int, deque[list[float]]] = defaultdict(lambda: deque(maxlen=_MOST_TIMES))

    @property
    def pages(self) -> int:
        """Number of open pages."""
        return len(self._pages)

    async def serve(self, connection: ServerConnection) -> None:
        """Feeds one page and receives its instructions until it is closed."""
        queue: asyncio.Queue[str] = asyncio.Queue(maxsize=8)
        hello = {"type": "hello", "embodiment": self._embodiment, "agent": self._agent, "robots": self._robots()}
        queue.put_nowait(json.dumps(hello))
        self._pages[connection] = queue
        feeding = asyncio.create_task(self._feed(connection, queue))
        catching_up = asyncio.create_task(self._show_newest(queue))
        try:
            async for text in connection:
                self._order(text)
        except ConnectionClosed:
            pass
        finally:
            del self._pages[connection]
            feeding.cancel()
            catching_up.cancel()

    async def _show_newest(self, queue: asyncio.Queue[str]) -> None:
        """Sends a new page the newest step of each robot, which may be idle, unless a newer one came meanwhile."""
        for number, newest in list(self._newest.items()):
            frames, actions, times = newest
            text = await asyncio.to_thread(_message, number, frames, actions, [times])
            if self._newest.get(number) is newest:
                await queue.put(text)

    def robots_changed(self) -> None:
        """Sends the connected robots and their instructions to all pages."""
        here = {client.number for client in self._clients.active()}
        for kept in (self._shown, self._times, self._newest):
            for number in kept.keys() - here:
                del kept[number]
        if self._pages:
            self._spread(json.dumps({"type": "robots", "robots": self._robots()}), must_arrive=True)

    def step(self, client: Client, observation: Any, actions: np.ndarray, waited: float, computed: float) -> None:
        """Keeps a step for new pages, and shows it if a page is open and the last one was not too recent."""
        now, number, took = time.monotonic(), client.number, [1000 * waited, 1000 * computed]
        cameras = [camera["name"] for camera in self._embodiment["cameras"]]
        frames = {name: observation[name] for name in cameras if name in observation}
        self._newest[number] = frames, actions, took
        if not self._pages:
            return
        self._times[number].append(took)
        if now - self._shown.get(number, 0.0) < _SECONDS_BETWEEN:
            return
        self._shown[number] = now
        times = list(self._times.pop(number))
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self._draw, loop, number, frames, actions, times)

    def _draw(
        self,
        loop: asyncio.AbstractEventLoop,
        number: int,
        frames: dict[str, Any],
        actions: np.ndarray,
        times: list[list[float]],
    ) -> None:
        loop.call_soon_threadsafe(self._spread, _message(number, frames, actions, times))

    def _robots(self) -> list[dict[str, Any]]:
        return [
            {
                "client": client.number,
                "name": client.name,
                "instruction": _readable(client.instruction),
                "ordered": client.ordered,
                "refused": client.refused,
            }
            for client in self._clients.active()
        ]

    def _spread(self, text: str, must_arrive: bool = False) -> None:
        for queue in self._pages.values():
            if must_arrive and queue.full():
                queue.get_nowait()
            if not queue.full():
                queue.put_nowait(text)

    async def _feed(self, connection: ServerConnection, queue: asyncio.Queue[str]) -> None:
        try:
            while True:
                await connection.send(await queue.get())
        except ConnectionClosed:
            return

    def _order(self, text: str | bytes) -> None:
        """Handles an instruction from a page; ignores anything else."""
        try:
            order = json.loads(text)
            number, instruction = order["client"], order["instruction"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return
        for client in self._clients.active():
            if client.number == number and isinstance(instruction, str) and instruction.strip():
                client.ordered = instruction.strip()[:_LONGEST_INSTRUCTION]
                self.robots_changed()


def _message(number: int, frames: dict[str, Any], actions: np.ndarray, times: list[list[float]]) -> str:
    """The message of a step; slow, as it encodes the images."""
    message = {
        "type": "step",
        "client": number,
        "actions": np.atleast_2d(actions)[:_MOST_ROWS].tolist(),
        "milliseconds": times,
        "frames": {name: _pictures(seen) for name, seen in frames.items()},
    }
    return json.dumps(message)


def _readable(instruction: Any) -> str:
    """A readable instruction."""
    if isinstance(instruction, str):
        return instruction
    if isinstance(instruction, tuple) and all(isinstance(part, str) for part in instruction):
        different = list(dict.fromkeys(instruction))
        return f"{len(instruction)} rows: {'; '.join(different[:_MOST_ROWS])}"
    if isinstance(instruction, list):
        return " ".join(part if isinstance(part, str) else "[image]" for part in instruction)
    return "" if instruction is None else "(spoken)"


def _pictures(frames: Any) -> list[str]:
    """The frames of a camera as data URLs of small images, one for each of the first rows."""
    array = np.asarray(frames)
    rows = array if array.ndim == 4 else array[None]
    return [_picture(row) for row in rows[:_MOST_ROWS] if row.ndim == 3]


def _picture(frame: np.ndarray) -> str:
    if frame.shape[2] != 3 and frame.shape[0] == 3:
        frame = frame.transpose(1, 2, 0)
    if frame.dtype != np.uint8:
        frame = np.clip(frame * 255.0, 0.0, 255.0).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(frame[..., 0] if frame.shape[2] == 1 else frame[..., :3]))
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
