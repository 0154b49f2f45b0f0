"""Every command that writes a folder refuses one in which another process writes, and survives a full disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from embodio.benchmarks.rollouts import player as player_module
from embodio.benchmarks.rollouts import rollout
from embodio.benchmarks.speed import main as benchmark
from embodio.benchmarks.speed.suites import Row
from embodio.datasets.files.folder_lock import sole_user, sole_writer
from embodio.datasets.opening import open_source
from embodio.datasets.recording.collect import collect
from embodio.datasets.recording.collection_store import INDEX
from embodio.train.commands import collect as collect_command
from embodio.train.commands import convert
from embodio.train.commands.data import data as data_command
from tests.support.benchmarks.recorded import MovingPolicy, SeeingEnv
from tests.support.datasets.fake_robot import FakeSource
from tests.support.datasets.toy import write_toy_dataset
from tests.support.limits import small_files
from tests.support.model.golden_network import OWN_FOLDER

Command = Callable[[Path], int]


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulator, expert and suite that take no time."""
    monkeypatch.setattr(player_module, "make_env", lambda name, **kwargs: SeeingEnv(**kwargs))
    monkeypatch.setattr(player_module, "make_expert", lambda name, env: MovingPolicy())
    suite = ModuleType("embodio.benchmarks.speed.suites.data")
    suite.__spec__ = __import__("importlib.util").util.find_spec("json")
    suite.run = lambda config, progress: [Row("fast", 1.5, "ms", note="x" * 9000)]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, suite.__name__, suite)

    def collected(*arguments: Any, **options: Any) -> Any:
        return collect(*arguments, **options, source=FakeSource(), progress=False)

    monkeypatch.setattr("embodio.datasets.recording.collect.collect", collected)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", episodes=2, steps=3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    shutil.copy(OWN_FOLDER / "tiny_config.json", folder / "config.json")
    shutil.copy(OWN_FOLDER / "tiny_state.safetensors", folder / "model.safetensors")
    return folder


PLAY = ("agent=expert", "env=fake", "episodes=2", "seed=600", "threads=1")


def command(name: str, data: Path, weights: Path) -> Command:
    """A command that writes into a folder, or with `visualise` to a file."""
    commands: dict[str, Command] = {
        "collect": lambda out: collect_command.main([f"out={out}", "env=fake/plane", "episodes=3", "workers=1"]),
        "rollout": lambda out: rollout.main([*PLAY, "video=1", f"out={out}"]),
        "record": lambda out: rollout.main([*PLAY, "video=0", f"out={out}.run", f"record={out}"]),
        "benchmark": lambda out: benchmark.main(["suite=data", "threads=1", f"out={out}"]),
        "convert weights": lambda out: convert.main([f"source={weights}", f"out={out}"]),
        "convert to rlds": lambda out: data_command.main(["convert", f"source={data}", f"out={out}"]),
        "convert to lerobot": lambda out: data_command.main(
            ["convert", f"source={data}", f"out={out}", "to=lerobot", "fps=10"]
        ),
        "visualise": lambda out: data_command.main(["visualise", f"source={data}", f"out={out}"]),
    }
    return commands[name]


NAMES = ("collect", "rollout", "record", "benchmark", "convert weights", "convert to rlds", "convert to lerobot")


@pytest.mark.parametrize("name", [*NAMES, "visualise"])
def test_the_second_one_is_refused_at_once_and_told_who_is_first(
    name: str, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    place = tmp_path / ".out.converting" if name in NAMES[-2:] else out
    holder = sole_writer(place, "x") if name == "visualise" else sole_user(place, "x")
    run = command(name, data, weights)
    with holder:
        assert run(out) == 1
        [*_, line] = capsys.readouterr().err.strip().splitlines()
        assert f"process {os.getpid()} on " in line and "Wait for it, end it, or choose another place" in line
    assert not out.exists()
    assert run(out) == 0


@pytest.mark.parametrize("limit", [1000, 4000, 30_000])
@pytest.mark.parametrize("name", [*NAMES, "visualise"])
def test_a_full_disk_is_one_line_with_a_remedy_and_leaves_nothing_half_written(
    name: str, data: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: int
) -> None:
    out = tmp_path / "out"
    run = command(name, data, weights)
    with small_files(limit):
        code = run(out)
    said = capsys.readouterr()
    if not code:  # all of its files are smaller
        return
    lines = said.err.strip().splitlines()
    assert code == 1 and "Traceback" not in said.err
    assert "cannot be written" in lines[-1] and tempfile.gettempdir() in lines[-1], lines
    assert "raise it (ulimit -f)" in lines[-1] or "choose another place" in lines[-1]
    if name == "visualise":
        assert not out.exists()
    if name.startswith("convert"):
        assert not [path for path in (out.iterdir() if out.exists() else ()) if path.name == "config.json"]
    assert run(out) == 0, "the same command goes on"
    if name in ("collect", "record", "convert to rlds", "convert to lerobot"):
        source = open_source(out)
        assert [len(source.episode(index)) for index in range(len(source))]


@pytest.mark.parametrize("file", [".collection.77.part.json", ".in_use", ".staging", INDEX])
def test_a_recording_that_was_cut_off_at_its_very_beginning_goes_on(tmp_path: Path, file: str) -> None:
    for name, run in (("a", command("record", tmp_path, tmp_path)), ("b", command("collect", tmp_path, tmp_path))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / file).mkdir() if file == ".staging" else (folder / file).write_text('{"sett')
        assert run(folder) == 0
        assert json.loads((folder / INDEX).read_text())["episodes"] and not list(folder.glob("*.part*"))


@pytest.mark.parametrize("name", ["collect", "record"])
@pytest.mark.parametrize("file", ["holiday.jpg", "notes/todo.txt", ".git/config"])
def test_a_folder_of_other_peoples_files_is_refused_and_stays(
    name: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / file).parent.mkdir(parents=True)
    (out / file).write_text("mine")
    assert command(name, tmp_path, tmp_path)(out) == 1
    assert f"holds {file.partition('/')[0]}, which no collection put there" in capsys.readouterr().err
    assert [path for path in out.rglob("*") if path.is_file()] == [out / file]


@pytest.mark.parametrize("unbuffered", [[], ["-u"]])
@pytest.mark.parametrize("module", ["embodio.train.commands.serve", "embodio.benchmarks.doctor"])
def test_output_to_a_full_disk_is_one_line(module: str, unbuffered: list[str]) -> None:
    code = f"import sys; from {module} import main; sys.exit(main(['--help']))"
    command = [sys.executable, *unbuffered, "-c", code]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert done.returncode == 1
    [*_, line] = [line for line in done.stderr.strip().splitlines() if "cannot be written" in line]
    assert "output cannot be written: No space left on device. Free some space" in line
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
