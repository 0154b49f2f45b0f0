"""RemoteAgent: a client of a served agent, with the verbs of `Agent`."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embodio.agent.answers import ActionResult, Judgement
from embodio.agent.client.answers import TextReply, action_result, judgement, text_answer
from embodio.agent.client.errors import (
    ConnectionLost,
    MessageTooLarge,
    Overloaded,
    ServerStopping,
    ServerUnreachable,
    error_named,
)
from embodio.agent.client.link import Broken, Link
from embodio.agent.client.messages import field, pack
from embodio.agent.client.robot import robot_from, robot_to
from embodio.agent.client.verbs import check_arguments


@dataclass(frozen=True)
class Timing:
    """Time of one call, in seconds.

    Attributes:
        total: from call to return.
        waited: time in the server's queue.
        computed: time in the policy; shared by the clients of one batch.
    """

    total: float
    waited: float
    computed: float

    @property
    def overhead(self) -> float:
        """Time of packing, sending and receiving."""
        return self.total - self.waited - self.computed


_HANDSHAKE_SECONDS = 20.0
"""Time limit of the first handshake with a server that answers; TLS takes seconds on a busy machine."""


class RemoteAgent:
    """A served agent. Its state is on the server; after a broken connection it reconnects and continues the episode.

    If the server no longer knows the episode, for example after a restart, ConnectionLost is raised instead of
    continuing without history. For use in one thread.

    The verbs are those of `Agent`, for one environment or a vector of them, with the same errors. In addition, all
    raise ConnectionLost, DeadlineExceeded or another RemoteError; the server may have counted a step that exceeded its
    deadline.

    Example:
        >>> agent = RemoteAgent("ws://gpu-box:8700", token="...")
        >>> agent.reset(instruction="lift the cube")
        >>> action = agent.act(observation)

    Args:
        url: "ws://host:port", or "wss://host:port" for TLS.
        token: the token of the server.
        embodiment: embodiment of the environment to act in (`env.unwrapped.embodiment` or its `to_dict()`), or the
            name of a robot; refused if the served one differs.
        deadline: seconds that one call may take; the attribute may be changed, for `imagine` for example.
        patience: seconds to keep trying to connect.
        tls: context for wss if this machine does not trust the server's certificate.

    Raises:
        ServerUnreachable: if no server answers there.
        Overloaded, ServerStopping: if the server is temporarily unavailable.
        Unauthorised: if the token is missing or wrong.
        ProtocolMismatch: if the server uses another version of the protocol.
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
        self._wanted = embodiment if isinstance(embodiment, str) else ""
        self._token, self._tls, self._expected = token, tls, None if self._wanted else robot_to(embodiment)
        self._number = 0
        self._closed = False
        self._link: Link | None = self._connect(None, time.monotonic() + patience, _HANDSHAKE_SECONDS)
        self.timing: Timing | None = None

    def __repr__(self) -> str:
        """The address, the robot and the keys it reads."""
        return f"RemoteAgent({self.url!r}, {self._robot.get('name')!r}, reads {', '.join(self._keys)})"

    @property
    def embodiment(self) -> Any:
        """The robot that the policy was made for: an Embodiment, or a RobotView without `embodio.envs`."""
        return robot_from(self._robot)

    @property
    def replan(self) -> int:
        """Number of actions of a chunk played before the next is predicted."""
        return int(field({"type": "info", **self._info}, "replan", int))

    @property
    def info(self) -> dict[str, Any]:
        """The origin of the weights and their sha256, for reports."""
        return dict(self._info)

    @property
    def observation_keys(self) -> list[str]:
        """The required keys of an observation; no others are sent."""
        return list(self._keys)

    def check_embodiment(self, embodiment: Any) -> None:
        """Raises EmbodimentMismatch (EmbodimentRefused without `embodio.envs`) unless it is the policy's robot."""
        self._call("check_embodiment", embodiment=robot_to(embodiment))

    def reset(self, instruction: Any = None, *, seed: int | Sequence[int] | None = None, rows: Any = None) -> None:
        """Starts an episode, or N of them: forgets history and planned actions.

        Args:
            instruction: what the robot should do; None keeps the previous one; a tuple of N for N rows. Sounds and
                images are accepted if the policy reads them.
            seed: seed of the agent's random numbers, one per row or s for s, s + 1, ...; None keeps it.
            rows: bool [N], which rows to reset; None for all.

        Raises:
            ObservationError: if the policy cannot read the instruction, or the numbers of rows differ.
        """
        if isinstance(instruction, np.ndarray) and instruction.ndim == 1 and instruction.dtype.kind in "UO":
            instruction = tuple(instruction.tolist())
        seeds = seed if seed is None or isinstance(seed, int) else np.asarray(seed).tolist()
        self._call("reset", instruction=instruction, seed=seeds, rows=None if rows is None else np.asarray(rows))

    def act(self, observation: Any) -> np.ndarray:
        """The next action, float32 [A], or [N, A] for a batch.

        Args:
            observation: observation of the environment, as for `Agent.act`.

        Raises:
            ObservationError: names the field that is missing or malformed.
            NotReset: if no instruction was ever given.
            Abstained: if the agent is configured to refuse actions that it does not trust; Declined if the policy
                answers that what is asked for cannot be done.
        """
        return np.asarray(self._call("act", observation=self._seen(observation)))

    def decide(self, observation: Any) -> ActionResult | list[ActionResult]:
        """Like `act`, but returns all that is known about the action; one result per row for a batch."""
        value = self._call("decide", observation=self._seen(observation))
        return [action_result(item) for item in value] if isinstance(value, list) else action_result(value)

    def plan(self, observation: Any) -> np.ndarray | list[np.ndarray]:
        """All actions of a chunk at once, float32 [K, A] or [N, K, A]; a list for a batch of whole episodes."""
        value = self._call("plan", observation=self._seen(observation))
        return value if isinstance(value, list) else np.asarray(value)

    def describe(self, frames: Any = None, *, row: int = 0) -> TextReply:
        """Describes images; None for those of the last `act`. See `Agent.describe`."""
        return text_answer(self._call("describe", frames=frames, row=row))

    def ask(
        self, question: str, observation: Any = None, *, answers: Sequence[str] | None = None, row: int = 0
    ) -> TextReply:
        """Answers a question about the images of the policy's cameras. See `Agent.ask`."""
        choices = list(answers) if isinstance(answers, tuple) else answers
        seen = self._seen(observation)
        return text_answer(self._call("ask", question=question, observation=seen, answers=choices, row=row))

    def imagine(
        self,
        instruction: str | None = None,
        observation: Any = None,
        *,
        seed: int = 0,
        guidance: float = 0.0,
        row: int = 0,
    ) -> np.ndarray:
        """Generates the camera images expected after the instruction, uint8 [H, W, 3]. See `Agent.imagine`."""
        seen = self._seen(observation)
        return np.asarray(
            self._call("imagine", instruction=instruction, observation=seen, seed=seed, guidance=guidance, row=row)
        )

    def judge(self, action: Any, observation: Any = None, *, threshold: float = 0.05, row: int = 0) -> Judgement:
        """Scores a proposed action under the policy. See `Agent.judge`."""
        seen = self._seen(observation)
        value = self._call("judge", action=np.asarray(action), observation=seen, threshold=threshold, row=row)
        return judgement(value)

    def warmup(self, rows: int = 1) -> None:
        """Runs the server's network on blank observations, so that the first real step is as fast as the others."""
        self._call("warmup", rows=rows)

    def latency(self) -> dict[str, dict[str, float]]:
        """p50, p95 and p99 in milliseconds of each stage of planning on the server, over all its clients."""
        return dict(self._call("latency"))

    def close(self) -> None:
        """Ends the connection and the episode; the agent cannot be used afterwards."""
        self._closed = True
        if self._link is not None:
            self._link.close()
            self._link = None

    def __enter__(self) -> RemoteAgent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _seen(self, observation: Any) -> Any:
        """The keys that the policy reads; the whole observation if one is missing, so that the server reports it."""
        if not isinstance(observation, Mapping):
            return observation
        chosen = self._keys if all(key in observation for key in self._keys) else observation
        return {key: observation[key] for key in chosen}

    def _call(self, verb: str, **arguments: Any) -> Any:
        """Sends one request and returns its answer, over a new connection if the old one broke."""
        if self._closed:
            raise ConnectionLost("this RemoteAgent was closed; make a new one")
        begin = time.monotonic()
        until = begin + self.deadline
        self._number += 1
        request = {"type": "call", "id": self._number, "verb": verb, "seconds": float(self.deadline)}
        arguments = {
            name: value.item() if isinstance(value, np.generic) else value for name, value in arguments.items()
        }
        check_arguments(verb, arguments)
        data = pack(dict(request, arguments=arguments))
        forgetful = verb == "reset" and arguments["instruction"] is not None and arguments["rows"] is None
        while True:
            link = self._link or self._mend(forgetful, until)
            if len(data) > link.most_bytes:
                raise MessageTooLarge(
                    f"request: {len(data)} bytes, the server accepts {link.most_bytes}; send smaller images, or raise "
                    "max_megabytes= of embodio-serve"
                )
            try:
                answer = link.exchange(data, self._number, until)
            except Broken as error:
                self._link = None
                if time.monotonic() > until:
                    raise ConnectionLost(f"{self.url}: the connection keeps breaking ({error})") from error
                continue
            waited, computed = field(answer, "waited", float), field(answer, "computed", float)
            self.timing = Timing(time.monotonic() - begin, waited, computed)
            return answer.get("value")

    def _mend(self, forgetful: bool, until: float) -> Link:
        """Reconnects and continues the episode; raises ConnectionLost if the server forgot it, unless `forgetful`."""
        try:
            link = self._link = self._connect(self._session, min(until, time.monotonic() + self.patience))
        except (ServerUnreachable, ServerStopping, Overloaded) as error:
            if forgetful:
                raise
            raise ConnectionLost(
                f"the connection broke and cannot be restored ({error}); once the server runs again, call "
                "reset(instruction=...) to start a new episode"
            ) from error
        if not link.resumed and not forgetful:
            raise ConnectionLost(
                f"{self.url}: the connection broke and the server no longer knows this episode; call "
                "reset(instruction=...) to start a new one"
            )
        return link

    def _connect(self, session: str | None, until: float, least: float = 1.0) -> Link:
        """Tries to connect until `until`; an attempt that is answered may take `least` seconds however late it is."""
        begin, pause = time.monotonic(), 0.05
        while True:
            seconds = max(least, until - time.monotonic())
            try:
                link = Link(self.url, self._token, self._expected, session, self._tls, seconds)
            except Broken as error:
                if time.monotonic() + pause > until:
                    raise error.reason or ServerUnreachable(
                        f"{self.url}: no connection within {max(0.0, until - begin):.3g} s ({error}); check that "
                        "embodio-serve runs there and that host and port are right"
                    ) from error
                time.sleep(pause)
                pause = min(1.0, 2 * pause)
                continue
            self._session, welcome = link.session, link.welcome
            self._robot, self._info = field(welcome, "embodiment", dict), field(welcome, "info", dict)
            self._keys = [str(key) for key in field(welcome, "keys", list)]
            self._require_wanted(link)
            return link

    def _require_wanted(self, link: Link) -> None:
        """Raises EmbodimentMismatch if the server's robot is not the one requested by name."""
        names = [str(name) for name in (self._info.get("robot"), self._robot.get("name")) if name]
        if self._wanted and self._wanted not in names:
            link.close()
            raise error_named(
                "EmbodimentMismatch",
                f"embodiment: {self.url} serves {' or '.join(names)}, not {self._wanted!r}; if its checkpoint has that "
                f"robot, start embodio-serve with robot={self._wanted}",
            )
