"""What is installed: every file of the rooms, versions that are pinned, and the set-up scripts' decisions."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import types
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.rooms import MAY_IMPORT, REPO
from tests.support.scripts import script

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())
LARGEST_SHIPPED_AGENT = 40_000_000  # bytes


def pins() -> dict[str, str]:
    """Package -> version, of constraints.txt."""
    found = {}
    for line in (REPO / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of a wheel that is built from a copy of the repo."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "repo"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", *MAY_IMPORT):
        (copy / name).symlink_to(REPO / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_file(wheel: set[str]) -> None:
    for room in MAY_IMPORT:
        for path in (REPO / room).rglob("*"):
            name = path.relative_to(REPO)
            if (
                path.is_file()
                and "__pycache__" not in name.parts
                and not any(one.startswith(".") for one in name.parts)
            ):
                assert f"embodio/{name}" in wheel
    assert not [name for name in wheel if "__pycache__" in name or name.endswith(".pyc")]
    assert "embodio/__init__.py" not in wheel
    assert not [name for name in wheel if not name.startswith("embodio")]


def test_commands_are_declared() -> None:
    declared = PROJECT["project"]["scripts"]
    assert set(declared) >= {
        "embodio-benchmark",
        "embodio-collect",
        "embodio-convert",
        "embodio-train",
        "embodio-rollout",
    }
    installed = {entry.name: entry for entry in entry_points(group="console_scripts") if entry.name in declared}
    for name, target in declared.items():
        assert installed[name].value == target
        assert callable(installed[name].load())


def test_shipped_agents_are_small() -> None:
    for folder in (REPO / "agent" / "checkpoints").glob("*/"):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert size < LARGEST_SHIPPED_AGENT, f"{folder.name} has {size} bytes"


def test_every_dependency_is_pinned_inside_its_range() -> None:
    lists = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    versions = pins()
    for line in (line for one in lists for line in one):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            name = canonicalize_name(requirement.name)
            assert name in versions, f"constraints.txt has no line for {name}"
            assert requirement.specifier.contains(versions[name]), line


def test_base_is_free_of_tensorflow() -> None:
    base = " ".join(PROJECT["project"]["dependencies"])
    assert not re.search(r"tensorflow|rlds|tfds", base)
    extras = set(PROJECT["project"]["optional-dependencies"])
    # Tests have stand-ins for the first two; ALOHA brings 130 MB for two environments.
    aside = {"wandb", "trackio", "aloha"}
    assert extras - aside == set(script("install").EXTRAS["all"]), "`make test` installs all other extras"


@pytest.fixture
def installer() -> types.ModuleType:
    """scripts/install.py."""
    return script("install")


@pytest.fixture
def graphics(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """scripts/graphics.py on a machine where a library is missing."""
    module = script("graphics")
    monkeypatch.setattr(module, "problem", lambda: "The library libEGL.so.1 is missing.")
    return module


class Pip:
    """Records what would be installed; `refuse` names what cannot be found."""

    def __init__(self, refuse: str = "nothing") -> None:
        self.calls: list[tuple[str, ...]] = []
        self.refuse = refuse

    def __call__(self, *arguments: str) -> str | None:
        self.calls.append(arguments)
        return "not found" if self.refuse in arguments and "--extra-index-url" not in arguments else None


def test_without_gpu_only_the_cpu_build_is_asked_for(
    installer: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = f"torch=={pins()['torch']}"
    monkeypatch.setattr(installer.sys, "platform", "linux")
    monkeypatch.setattr(installer, "has_gpu", lambda: False)
    for pip, calls in ((Pip(), 1), (Pip(refuse=f"{torch}+cpu"), 2)):
        monkeypatch.setattr(installer, "pip", pip)
        installer.install_torch()
        assert len(pip.calls) == calls
        assert all(call[0] == f"{torch}+cpu" for call in pip.calls)
    monkeypatch.setattr(installer, "pip", lambda *arguments: "no matching distribution")
    with pytest.raises(installer.InstallError, match="No CPU build"):
        installer.install_torch()


def test_with_gpu_the_default_build_is_taken(installer: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip()
    monkeypatch.setattr(installer, "has_gpu", lambda: True)
    monkeypatch.setattr(installer, "pip", pip)
    installer.install_torch()
    assert pip.calls == [(f"torch=={pins()['torch']}",)]


def test_a_cuda_build_without_gpu_is_refused(installer: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer.sys, "platform", "linux")
    monkeypatch.setattr(installer, "has_gpu", lambda: False)
    answer = subprocess.CompletedProcess([], 0, stdout="12.9\n", stderr="")
    monkeypatch.setattr(installer.subprocess, "run", lambda *args, **kwargs: answer)
    with pytest.raises(installer.InstallError, match=r"rm -r \.venv"):
        installer.require_right_torch()


def test_nothing_is_done_twice(installer: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []
    monkeypatch.setattr(installer.sys, "prefix", str(tmp_path))
    monkeypatch.setattr(installer, "install_torch", lambda: done.append("torch"))
    monkeypatch.setattr(installer, "need", lambda *arguments: done.append(arguments[-1]))
    monkeypatch.setattr(installer, "require_right_torch", lambda: None)
    assert installer.main(["base"]) == 0
    steps = len(done)
    assert steps == 3
    assert installer.main(["base"]) == 0
    assert len(done) == steps
    assert installer.main(["all"]) == 0
    assert len(done) == 2 * steps
    (tmp_path / ".embodio-base").unlink()
    assert installer.main(["base"]) == 0, "all is more than base"
    assert len(done) == 2 * steps
    constraints = tmp_path / "constraints.txt"
    constraints.write_text((REPO / "constraints.txt").read_text() + "# changed\n")
    monkeypatch.setattr(installer, "CONSTRAINTS", constraints)
    assert installer.main(["base"]) == 0
    assert len(done) == 3 * steps


def test_base_requirements_leave_out_what_needs_a_compiler(installer: types.ModuleType) -> None:
    base = {Requirement(line).name for line in installer.requirements(())}
    assert "robosuite" not in base
    assert not {"evdev", "pynput", "tensorflow-cpu", "pytest"} & base
    assert {"torch", "gymnasium", "numba"} <= base
    assert "tensorflow-datasets" in {Requirement(line).name for line in installer.requirements(("tf",))}


def test_simulators_that_ask_for_another_mujoco_come_without_their_dependencies(installer: types.ModuleType) -> None:
    extras = ("metaworld", "pusht", "aloha")
    assert not {"metaworld", "gym-pusht", "gym-aloha"} & {
        Requirement(line).name for line in installer.requirements(extras)
    }
    versions = pins()
    names = ("robosuite", "metaworld", "gym-pusht", "gym-aloha")
    assert installer.bare(extras) == [f"{name}=={versions[name]}" for name in names]
    assert installer.bare(()) == [f"robosuite=={versions['robosuite']}"]


def test_missing_graphics_without_root(
    graphics: types.ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(graphics.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(graphics.os, "geteuid", lambda: 1000)
    assert graphics.main() == 1
    shown = capsys.readouterr().out
    assert "sudo apt-get install -y --no-install-recommends libegl1 libgl1-mesa-dri" in shown
    monkeypatch.setattr(graphics.shutil, "which", lambda name: None)
    assert graphics.main() == 1
    assert "your system's package manager" in capsys.readouterr().out


def test_missing_graphics_as_root(graphics: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        monkeypatch.setattr(graphics, "problem", lambda: None)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(graphics.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(graphics.os, "geteuid", lambda: 0)
    monkeypatch.setattr(graphics.subprocess, "run", run)
    assert graphics.main() == 0
    assert [command[1] for command in commands] == ["update", "install"]
