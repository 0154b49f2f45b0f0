"""Settings outside their range: every command names the key, the value and the range, before it opens anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodio.agent.serving.settings import ServerSettings, ServingError
from embodio.benchmarks.rollouts.rollout import main as rollout
from embodio.benchmarks.speed.main import main as benchmark
from embodio.train.command_line.ranges import DECAY, POSITIVE, Range
from embodio.train.commands.collect import main as collect
from embodio.train.commands.data.data import main as data
from embodio.train.commands.envs import main as envs
from embodio.train.commands.serve import main as serve
from embodio.train.main import main as train

Command = Callable[[Sequence[str] | None], int]
TRAIN = ["data=/nowhere", "out=/nowhere/run"]


@pytest.mark.parametrize(
    ("command", "arguments", "told"),
    [
        (serve, ["port=99999"], "port: got 99999, expected 0 to 65535"),
        (serve, ["port=-1"], "port: got -1, expected 0 to 65535"),
        (serve, ["max_megabytes=0"], "max_megabytes: got 0, expected 1 or more"),
        (serve, ["deadline=0"], "deadline: got 0.0, expected more than 0"),
        (serve, ["keep_seconds=nan"], "keep_seconds: got nan, expected more than 0"),
        (serve, ["threads=-2"], "threads: got -2, expected 0 or more"),
        (serve, ["replan=0"], "replan: got 0, expected 1 or more"),
        (rollout, ["out=/nowhere", "episodes=0"], "episodes: got 0, expected 1 or more"),
        (rollout, ["out=/nowhere", "horizon=-5"], "horizon: got -5, expected 1 or more"),
        (collect, ["out=/nowhere", "seed=-1"], "seed: got -1, expected 0 or more"),
        (collect, ["out=/nowhere", "noise=[0,-0.1]"], "noise: got -0.1, expected 0 or more"),
        (data, ["verify", "/nowhere", "episodes=-1"], "episodes: got -1, expected 0 or more"),
        (data, ["verify", "/nowhere", "bins=1"], "bins: got 1, expected 2 or more"),
        (data, ["visualise", "/nowhere", "count=0", "out=x.html"], "count: got 0, expected 1 or more"),
        (benchmark, ["suite=agent", "repeats=0"], "repeats: got 0, expected 1 or more"),
        (train, [*TRAIN, "batch_size=0"], "batch_size: got 0, expected 1 or more"),
        (train, [*TRAIN, "workers=-1"], "workers: got -1, expected 0 or more"),
        (train, [*TRAIN, "holdout=-1"], "holdout: got -1, expected 0 or more"),
        (train, [*TRAIN, "optimiser.final=1.5"], "optimiser.final: got 1.5, expected 0 to 1"),
        (train, [*TRAIN, "optimiser.beta1=1"], "optimiser.beta1: got 1.0, expected 0 or more and less than 1"),
        (train, [*TRAIN, "optimiser.learning_rate=-1"], "optimiser.learning_rate: got -1.0, expected more than 0"),
        (
            train,
            [*TRAIN, "tasks.instruction_from_video.frames=9"],
            "tasks.instruction_from_video.frames: got 9, expected 1 to 8",
        ),
        (train, [*TRAIN, "tasks.action_right.right=2"], "tasks.action_right.right: got 2.0, expected 0 to 1"),
        (train, [*TRAIN, "tasks.next_frame.stride=0"], "tasks.next_frame.stride: got 0, expected 1 or more"),
        (
            train,
            [*TRAIN, "tasks.next_action.goal_ahead=-1"],
            "tasks.next_action.goal_ahead: got -1, expected 0 or more",
        ),
    ],
)
def test_the_key_is_named(
    command: Command, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(arguments) == 2
    shown = capsys.readouterr().err
    assert told in shown and "Traceback" not in shown


@pytest.mark.parametrize("command", [serve, rollout, collect, benchmark, train, envs])
def test_version(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["--version"]) == 0
    name, number = capsys.readouterr().out.split()
    assert name.startswith("embodio-") and number[0].isdigit()


def test_a_server_of_ones_own_has_the_same_ports() -> None:
    for port in (-1, 65536):
        with pytest.raises(ServingError, match=f"port: got {port}, expected 0 to 65535"):
            ServerSettings(port=port)


@given(st.floats(), st.floats(-10, 10), st.floats(0, 10), st.booleans(), st.booleans())
def test_ranges(value: float, low: float, width: float, above: bool, below: bool) -> None:
    allowed = Range(low, low + width, above=above, below=below)
    inside = (value > low if above else value >= low) and (value < low + width if below else value <= low + width)
    assert (value in allowed) == inside
    assert float("inf") not in POSITIVE and float("nan") not in DECAY
