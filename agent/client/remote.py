"""RemoteAgent: an agent behind an address, with the verbs of `Agent`."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodio.agent.client.errors import ConnectionLost, MessageTooLarge, ServerUnreachable
from embodio.agent.client.link import Broken, Link
from embodio.agent.client.messages import field, pack
from embodio.agent.client.robot import robot_from, robot_to


@dataclass(frozen=True)
class Timing:
    """Where the time of one `act` went, in seconds.

    Attributes:
        total: from call to return.
        waited: in the server's queue.
        computed: in the policy; shared by the clients of one batch.
    """

    total: float
    waited: float
    computed: float

    @property
    def overhead(self) -> float:
        """What the distance costs: packing, sending, receiving."""
        return self.total - self.waited - self.computed


class RemoteAgent:
    """A served agent. Its state lives on the server; a broken connection is mended and the episode goes on.

    Where the server does not know the episode any more, because it was started anew, `act` raises ConnectionLost
    instead of going on with an agent that has forgotten what it saw. Meant for one thread.

    Example:
        >>> agent = RemoteAgent("ws://gpu-box:8700", token="...")
        >>> agent.reset(instruction="lift the cube")
        >>> action = agent.act(observation)

    Args:
        url: "ws://host:port", or "wss://host:port" for TLS.
        token: that the server was started with.
        embodiment: of the environment to act in (`env.unwrapped.embodiment` or its `to_dict()`); refused if it differs.
        deadline: seconds that one call may take.
        patience: seconds to go on trying to connect.
        tls: context for wss where the server's certificate is not trusted by this machine.

    Raises:
        ServerUnreachable: if nothing answers there.
        Unauthorised: if the token is missing or wrong.
        ProtocolMismatch: if the server speaks another version.
        EmbodimentMismatch: if the policy was made for another robot (EmbodimentRefused without `embodio.envs`).
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        embodiment: Any = None,
        deadline: float = 10.0,
        patience: float = 5.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url, self.deadline, self.patience = url, deadline, patience
        self._token, self._tls, self._expected = token, tls, robot_to(embodiment)
        self._instruction: Any = None
        self._number = 0
        self._closed = False
        self._session: str | None = None
        self._link: Link | None = self._connect(None)
        self.timing: Timing | None = None

    @property
    def embodiment(self) -> Any:
        """The robot that the policy was made for: an Embodiment, or a RobotView without `embodio.envs`."""
        return robot_from(self._robot)

    @property
    def info(self) -> dict[str, Any]:
        """Where the weights come from and their sha256, for reports."""
        return dict(self._info)

    def check_embodiment(self, embodiment: Any) -> None:
        """Raises EmbodimentMismatch (EmbodimentRefused without `embodio.envs`) unless it is the policy's robot."""
        probe = RemoteAgent(
            self.url, token=self._token, embodiment=embodiment, deadline=self.deadline, patience=0.0, tls=self._tls
        )
        probe.close()

    def reset(self, instruction: Any = None, *, seed: int | None = None) -> None:
        """Starts an episode: forgets history and planned actions.

        Args:
            instruction: what the robot shall do; None keeps the instruction of the episode before.
            seed: of the agent's random numbers; None keeps it.

        Raises:
            ObservationError: if the policy cannot read the instruction.
            RemoteError: of the connection.
        """
        wanted = self._instruction if instruction is None else instruction
        self._call({"type": "reset", "instruction": wanted, "seed": seed})
        self._instruction = wanted

    def act(self, observation: Any) -> np.ndarray:
        """The next action, float32 [A].

        Args:
            observation: what the environment gives, as for `Agent.act`.

        Raises:
            ObservationError: naming the field that is missing or malformed.
            NotReset: if no instruction was ever given.
            ConnectionLost: if the server has forgotten the episode.
            RemoteError: of the connection, or of a server that cannot answer.
        """
        start = time.monotonic()
        answer = self._call({"type": "act", "observation": dict(observation), "seconds": float(self.deadline)})
        waited, computed = field(answer, "waited", float), field(answer, "computed", float)
        self.timing = Timing(time.monotonic() - start, waited, computed)
        return np.asarray(field(answer, "action", np.ndarray))

    def close(self) -> None:
        """Ends the connection and the episode; afterwards the agent cannot be used."""
        self._closed = True
        if self._link is not None:
            self._link.close()
            self._link = None

    def __enter__(self) -> RemoteAgent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, message: dict[str, Any]) -> dict[str, Any]:
        """One request and its answer, over a new connection where the old one broke."""
        if self._closed:
            raise ConnectionLost("this RemoteAgent was closed; make a new one")
        self._number += 1
        data = pack(dict(message, id=self._number))
        until = time.monotonic() + self.deadline
        while True:
            if self._link is None:
                self._mend(forgetful=message["type"] == "reset")
            link = self._link
            if link is None:
                raise ConnectionLost("the connection ended; call reset(instruction=...) to connect again")
            if len(data) > link.most_bytes:
                raise MessageTooLarge(
                    f"request: {len(data)} bytes, the server takes {link.most_bytes}; send smaller images, or raise "
                    "max_megabytes= of embodio-serve"
                )
            try:
                return link.exchange(data, self._number, until)
            except Broken as error:
                self._link = None
                if time.monotonic() > until:
                    raise ConnectionLost(f"{self.url}: the connection keeps breaking ({error})") from error

    def _mend(self, forgetful: bool) -> None:
        """Connects again and goes on with the episode, unless the server has forgotten it and that matters."""
        link = self._connect(self._session)
        self._link = link
        if not link.resumed and not forgetful:
            raise ConnectionLost(
                f"{self.url}: the connection broke and the server no longer knows this episode; call "
                "reset(instruction=...) to start a new one"
            )

    def _connect(self, session: str | None) -> Link:
        until, pause = time.monotonic() + self.patience, 0.05
        while True:
            try:
                link = Link(self.url, self._token, self._expected, session, self._tls, max(1.0, self.patience))
            except Broken as error:
                if time.monotonic() + pause > until:
                    raise ServerUnreachable(
                        f"{self.url}: no connection within {self.patience:g} s ({error}); check that embodio-serve "
                        "runs there and that host and port are right"
                    ) from error
                time.sleep(pause)
                pause = min(1.0, 2 * pause)
                continue
            self._session = link.session
            self._robot, self._info = field(link.welcome, "embodiment", dict), field(link.welcome, "info", dict)
            return link
