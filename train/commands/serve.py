"""`embodio-serve`: an agent behind a socket, for robots and simulators on other machines or in other Pythons."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from embodio.agent.errors import AgentError
from embodio.agent.options import AgentOptions, Precision
from embodio.agent.serving.settings import ServerSettings, ServingError
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run as run_command
from embodio.train.command_line.ranges import AT_LEAST_ONE, COUNT, PORT, POSITIVE, require_ranges
from embodio.train.command_line.threads import threads

if TYPE_CHECKING:
    from rich.console import Console

    from embodio.agent.agent import Agent


@dataclass(frozen=True)
class ServeConfig:
    """Settings of `embodio-serve`.

    Attributes:
        agent: name (embodio-nano, lift-nano, robots-nano) or folder of a checkpoint, or folder or name of released
            weights.
        robot: name of the robot to serve, or of its embodiment, if the checkpoint has several; empty takes the only
            one, or its default. Released weights need it (vima, ...). Several robots need a server each.
        port: port to listen on; 0 takes a free one.
        host: address to listen on; 0.0.0.0 for other machines, which needs token_file or open.
        token_file: file whose first line is the token that clients must send.
        open: allow other machines without a token.
        certificate: PEM file for TLS.
        key: PEM file of the certificate's private key.
        replan: actions played before the agent plans again; null for the agent's own.
        precision: of the weights: float32, bfloat16, int8 or int8_weights.
        device: where the network runs, cpu or cuda.
        threads: of the network; 0 takes OMP_NUM_THREADS, or 1.
        max_clients: robots connected at once.
        max_megabytes: size of one message.
        max_rows: environments in one robot's vector.
        max_waiting: requests in the queue; more are refused.
        max_batch: requests that are computed together.
        deadline: seconds that a request may wait in the queue.
        keep_seconds: time that an episode survives a broken connection.
        stop_seconds: time for running requests to finish when the server stops.
    """

    agent: str = "lift-nano"
    robot: str = ""
    port: int = 8700
    host: str = "127.0.0.1"
    token_file: Path | None = None
    open: bool = False
    certificate: Path | None = None
    key: Path | None = None
    replan: int | None = None
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 0
    max_clients: int = 64
    max_megabytes: int = 16
    max_rows: int = 64
    max_waiting: int = 64
    max_batch: int = 16
    deadline: float = 10.0
    keep_seconds: float = 60.0
    stop_seconds: float = 10.0

    def __post_init__(self) -> None:
        require_ranges(self, port=PORT, replan=AT_LEAST_ONE, threads=COUNT, max_clients=AT_LEAST_ONE)
        require_ranges(self, max_megabytes=AT_LEAST_ONE, max_rows=AT_LEAST_ONE, max_waiting=AT_LEAST_ONE)
        require_ranges(self, max_batch=AT_LEAST_ONE, deadline=POSITIVE, keep_seconds=POSITIVE, stop_seconds=POSITIVE)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `embodio-serve`; returns the exit code."""
    return run_command(
        ServeConfig,
        serve,
        argv,
        prog="embodio-serve",
        description="Serve an agent over websockets; the same address in a browser shows what it sees and does.",
        examples=(
            "embodio-serve agent=lift-nano port=8700",
            "embodio-serve agent=lift-nano host=0.0.0.0 token_file=token.txt certificate=cert.pem key=key.pem",
        ),
        user_errors=(AgentError, EnvError, ModelError),
    )


def serve(config: ServeConfig) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit code.

    Raises:
        AgentError: the checkpoint cannot be loaded, or not served with these settings.
    """
    import torch
    from rich.console import Console

    from embodio.agent.agent import Agent
    from embodio.agent.serving.agent_policy import AgentPolicy
    from embodio.agent.serving.background import serve_until_signal

    settings = ServerSettings(
        host=config.host,
        port=config.port,
        token=None if config.token_file is None else _token(config.token_file),
        open=config.open,
        certificate=config.certificate,
        key=config.key,
        max_clients=config.max_clients,
        max_waiting=config.max_waiting,
        max_bytes=config.max_megabytes * 1_000_000,
        max_batch=config.max_batch,
        deadline=config.deadline,
        keep_seconds=config.keep_seconds,
        stop_seconds=config.stop_seconds,
    )
    torch.set_num_threads(threads(config.threads, usual=1))
    options = AgentOptions(replan=config.replan, precision=cast(Precision, config.precision))
    agent = Agent.load(config.agent, device=config.device, options=options, robot=config.robot or None)
    agent.warmup()
    console = Console(highlight=False, soft_wrap=True, markup=False)
    serve_until_signal(
        AgentPolicy(agent, config.max_rows),
        settings,
        started=lambda url: console.print(_welcome(config, agent, url)),
        stopping=lambda: _say(console, "finishing what runs; a second signal ends it at once"),
    )
    return 0


def _say(console: Console, text: str) -> None:
    """Prints a line, which a server on a full disk skips."""
    with suppress(OSError):
        console.print(text)


def _welcome(config: ServeConfig, agent: Agent, url: str) -> str:
    """The address of the server, and how to use it."""
    for everywhere in ("0.0.0.0", "[::]"):
        url = url.replace(everywhere, socket.gethostname())
    token = "" if config.token_file is None else ", token=..."
    page = url.replace("ws", "http", 1)
    return "\n".join(
        (
            f"{config.agent} for {agent.embodiment.name} at {url}",
            f'  robots   from embodio.agent.client import RemoteAgent; agent = RemoteAgent("{url}"{token})',
            f"  people   {page}",
            f"  programs {page}/healthz and {page}/metrics",
            "Ctrl-C ends it.",
        )
    )


def _token(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ServingError(f"token_file: cannot be read ({error})") from error
    if not lines or not lines[0].strip():
        raise ServingError(f"token_file: {path} is empty; write the token into its first line")
    return lines[0].strip()
