"""embodio-benchmark: suites found by name, goals, results in a file, mistakes in plain words."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pytest
import torch

from embodio.benchmarks.errors import BenchmarkError
from embodio.benchmarks.speed import main as command
from embodio.benchmarks.speed.suites import BenchmarkConfig, PeersConfig, Row, load_suite
from embodio.model.process_memory import peak_memory


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A suite that measures nothing, in the place of the one named data."""
    suite = ModuleType("embodio.benchmarks.speed.suites.data")
    suite.__spec__ = load_spec("json")
    suite.threads = []

    def run(config: BenchmarkConfig, progress: object) -> list[Row]:
        suite.threads.append(torch.get_num_threads())
        slow = Row("slow", 3.0, "s", reference=2.0, ratio=1.5, goal="<= 1.3", note="too slow")
        return [Row("fast", 1.5, "ms", reference=9.0, ratio=6.0, goal=">= 6"), slow, Row("size", 12345.0, "MB")]

    suite.run = run
    monkeypatch.setitem(sys.modules, suite.__name__, suite)
    return suite


def load_spec(name: str) -> object:
    return __import__("importlib.util").util.find_spec(name)


def test_results_are_written(fake: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.get_num_threads()
    assert command.main(["suite=data", f"out={tmp_path}", "threads=1", "repeats=2"]) == 0
    assert fake.threads == [1]
    assert torch.get_num_threads() == before
    results = json.loads((tmp_path / "results.json").read_text())
    assert [(row["name"], row["reached"]) for row in results["rows"]] == [
        ("fast", True),
        ("slow", False),
        ("size", None),
    ]
    assert results["settings"] == {
        "suite": "data",
        "out": str(tmp_path),
        "repeats": 2,
        "threads": 1,
        "quick": False,
        "corpus": None,
        "peers": asdict(PeersConfig()) | {"names": list(PeersConfig.names)},
    }
    assert results["versions"]["torch"] and results["machine"]["processor"]
    assert 50 < results["peak_memory_mb"] < 30000
    shown = capsys.readouterr().err
    assert "too slow" in shown and "12,345 MB" in shown and str(tmp_path) in shown.replace("\n", "")


def test_a_goal_is_judged_by_the_ratio_or_else_by_the_value() -> None:
    assert Row("x", 1.0, "s", ratio=6.1, goal=">= 6").reached is True
    assert Row("x", 1.0, "s", ratio=1.31, goal="<= 1.3").reached is False
    assert Row("x", 1.0, "s", goal="<= 1.3").reached is True
    assert Row("x", math.nan, "s", goal="<= 1.3").reached is False
    assert Row("x", 1.0, "s").reached is None
    with pytest.raises(BenchmarkError, match="'x' is 'fast'"):
        Row("x", 1.0, "s", goal="fast")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["suite=modle"], "'model'"), (["suite=data", "repeats=0"], "repeats"), (["suite=model", "quik=true"], "quick")],
)
def test_mistakes_are_explained(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_suite_that_is_not_there() -> None:
    with pytest.raises(BenchmarkError, match="no suite 'none'"):
        load_suite("none")


def test_peak_memory_grows_with_what_is_used() -> None:
    before = peak_memory()
    torch.ones(int(before) * 1_000_000 // 4 + 1)
    assert peak_memory() > before
