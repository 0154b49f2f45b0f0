"""World: the private physics client, clock and temporary folder of one VIMA environment.

VIMA-Bench leaves the physics client out of many calls of pybullet, limits motions by the wall clock, and writes
scene files to the shared temporary folder. `isolate` replaces the modules `pybullet`, `time` and `tempfile` inside the
benchmark's own modules by substitutes that consult the `World` at work; outside of one they pass every call through.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from embodio.envs.vima.native_output import silenced

MOTION_SECONDS = 5.0
"""The benchmark's time limit of one arm motion, in seconds of `World.seconds`."""
MOTION_STEPS = 12_000
"""The limit in simulation steps: ten times the longest motion over the workspace."""

# Position of the client in functions that take it as a positional argument; all others take it by name.
_BY_PLACE = {
    "disconnect": 0,
    "isConnected": 0,
    "getConnectionInfo": 0,
    "loadTexture": 1,
    "resetBasePositionAndOrientation": 3,
}
_CLIENT = "physicsClientId"
# Functions with which pybullet's native code prints to standard output.
_CHATTY = frozenset({"connect", "disconnect", "loadPlugin", "executePluginCommand", "loadURDF", "loadTexture"})


class World:
    """The private state of one environment while its benchmark runs.

    Attributes:
        client: its physics client, the first one that it connects; None before that.
        steps: number of simulation steps of that client.
    """

    def __init__(self) -> None:
        """Creates the temporary folder."""
        self.client: int | None = None
        self.steps = 0
        self._clients: dict[int | None, Any] = {}  # each with the module that closes it
        self._folder = tempfile.TemporaryDirectory(prefix="embodio-vima-", ignore_cleanup_errors=True)

    @property
    def folder(self) -> str:
        """The folder for scene files; `close` removes it."""
        return self._folder.name

    @property
    def seconds(self) -> float:
        """The time in this world, which advances with simulation steps, independent of the machine's load."""
        return self.steps * MOTION_SECONDS / MOTION_STEPS

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Makes this the active world of the benchmark in this thread; closes clients left open inside."""
        token = _PRESENT.set(self)
        try:
            yield
        finally:
            _PRESENT.reset(token)
            for client in tuple(self._clients.keys() - {self.client}):
                self._disconnect(client)

    def bound(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with this world active while it runs."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.at_work():
                return function(*args, **kwargs)

        return call

    def connected(self, client: int, pybullet: ModuleType) -> None:
        """Records a new client."""
        self.client = client if self.client is None else self.client
        self._clients[client] = pybullet

    def disconnected(self, client: int | None) -> None:
        """Records that a client was closed."""
        self._clients.pop(self.client if client is None else client, None)

    def close(self) -> None:
        """Closes every client, and removes the folder."""
        for client in tuple(self._clients):
            self._disconnect(client)
        self._folder.cleanup()

    def _disconnect(self, client: int | None) -> None:
        pybullet = self._clients.pop(client)
        with contextlib.suppress(pybullet.error), silenced():
            pybullet.disconnect(physicsClientId=client)


_PRESENT: ContextVar[World | None] = ContextVar("_PRESENT", default=None)


def isolate(package: str) -> None:
    """Substitutes `pybullet`, `time` and `tempfile` in the loaded modules of a package."""
    pybullet = sys.modules.get("pybullet")
    substitutes: dict[ModuleType, _Module] = {time: _Time(time), tempfile: _TemporaryFiles(tempfile)}
    if pybullet is not None:
        substitutes[pybullet] = _Pybullet(pybullet)
    for name, module in tuple(sys.modules.items()):
        if not f"{name}.".startswith(f"{package}."):
            continue
        for attribute, value in tuple(vars(module).items()):
            if isinstance(value, ModuleType) and value in substitutes:
                setattr(module, attribute, substitutes[value])
            elif pybullet is not None and callable(value) and getattr(pybullet, attribute, None) is value:
                setattr(module, attribute, getattr(substitutes[pybullet], attribute))


class _Module:
    """A module with some of its attributes replaced."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _Time(_Module):
    """The module `time`, with the clock of the active world."""

    def time(self) -> float:
        world = _PRESENT.get()
        return time.time() if world is None else world.seconds


class _TemporaryFiles(_Module):
    """The module `tempfile`, with the folder of the active world."""

    def gettempdir(self) -> str:
        world = _PRESENT.get()
        return tempfile.gettempdir() if world is None else world.folder


class _Pybullet(_Module):
    """The module `pybullet`, with calls without a client going to that of the active world."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if not callable(value) or isinstance(value, type):
            return value
        wrapped = functools.wraps(value)(functools.partial(self._call, name, value))
        self.__dict__[name] = wrapped  # looked up once
        return wrapped

    def _call(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        world = _PRESENT.get()
        if world is None:
            return function(*args, **kwargs)
        if name == "connect":
            with silenced():
                client = function(*args, **kwargs)
            world.connected(client, self._module)
            return client
        place = _BY_PLACE.get(name, len(args))
        if _CLIENT not in kwargs and place >= len(args):
            kwargs[_CLIENT] = world.client
        if name == "stepSimulation":
            world.steps += kwargs.get(_CLIENT) == world.client
        if name == "disconnect":
            world.disconnected(kwargs.get(_CLIENT, args[0] if args else None))
        with silenced() if name in _CHATTY else contextlib.nullcontext():
            return function(*args, **kwargs)
