"""Sinks: each is found by its name, gets the lines of the log, and says which extra it needs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embodio.datasets.plug_ins import UnknownPlugInError
from embodio.train.command_line.schema import UsageError
from embodio.train.observers.sinks import named_sink, sink_names
from embodio.train.observers.sinks.sink import SinkError, numbers
from embodio.train.run_config import RunConfig

LINES: tuple[dict[str, Any], ...] = (
    {"kind": "train", "step": 20, "loss": 3.5, "examples_per_second": 7},
    {"kind": "train", "step": 20, "task": "words", "share": 0.25},
    {"kind": "damaged", "step": 21, "what": "a record"},
    {"kind": "validation", "step": 40, "loss": 3.0},
)


class Recorder:
    """In place of a service: keeps what it is given."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.logged: list[tuple[dict[str, float], int]] = []
        self.finished = False

    def init(self, **given: Any) -> Recorder:
        self.given = given
        return self

    def log(self, values: dict[str, float], step: int | None = None) -> None:
        self.logged.append((values, int(values["step"]) if step is None else step))

    def finish(self) -> None:
        self.finished = True


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_a_service_gets_the_numbers_with_their_steps(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Recorder()
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(init=service.init))  # type: ignore[arg-type]
    monkeypatch.setenv(f"{name.upper()}_PROJECT", "mine")
    sink = named_sink(name)(tmp_path / "run7", {"seed": 3}, 0)
    for line in LINES:
        sink.write(line)
    sink.close()
    assert (
        service.given["project"] == "mine"
        and service.given["name"] == "run7"
        and service.given["config"] == {"seed": 3}
    )
    assert [step for _, step in service.logged] == [20, 20, 40], "damage is not a number"
    assert service.logged[0][0]["train/loss"] == 3.5 and service.logged[1][0]["train/words/share"] == 0.25
    assert service.finished


@pytest.mark.parametrize("name", sorted({"tensorboard", "wandb", "trackio"}))
def test_a_package_that_is_missing_names_its_extra(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    with pytest.raises(SinkError, match=rf"pip install 'embodio\[{name}\]'"):
        named_sink(name)(tmp_path, {}, 0)


def test_tensorboard_files_hold_the_numbers(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    before = "tensorflow" in sys.modules
    sink = named_sink("tensorboard")(tmp_path, {}, 0)
    for line in LINES:
        sink.write(line)
    sink.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(one.step, one.value) for one in events.Scalars("train/loss")] == [(20, 3.5)]
    assert [(one.step, one.value) for one in events.Scalars("validation/loss")] == [(40, 3.0)]
    assert before or "tensorflow" not in sys.modules, "it takes seconds and is not needed"


def test_names_are_listed_and_unknown_ones_refused() -> None:
    assert sink_names() == ["tensorboard", "trackio", "wandb"]
    with pytest.raises(UnknownPlugInError, match="did you mean 'wandb'"):
        named_sink("wand")
    with pytest.raises(UsageError, match="sinks: there is no wand"):
        RunConfig(out="x", sinks=("wand",))


def test_texts_and_flags_are_not_numbers() -> None:
    assert dict(numbers({"kind": "train", "step": 1, "what": "x", "good": True, "loss": 2})) == {"train/loss": 2.0}
