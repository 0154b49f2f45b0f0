"""Installation of embodio and its dependencies into the virtual environment that runs this script.

It does nothing if everything is installed already.

    .venv/bin/python scripts/install.py base    to run and train an agent
    .venv/bin/python scripts/install.py all     also tests, lint and all extras
    .venv/bin/python scripts/install.py vima    to run an agent in VIMA's benchmark

It differs from a plain `pip install -c constraints.txt -e .` in two things:
* Without a GPU it takes the CPU build of torch, which is 3 GB smaller than the CUDA build.
* It installs some simulators without their dependencies: robosuite, as its input devices and one of its controllers
  use some that need a C compiler; Meta-World, PushT and ALOHA, as they ask for another MuJoCo or another pygame than
  the one that all of them run with. `pip check` therefore names them.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
CONSTRAINTS = REPO / "constraints.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Packages that are installed without their dependencies; their extras name what they really need.
BARE = ("robosuite", "metaworld", "gym-pusht", "gym-aloha")
# What robosuite imports when it simulates, besides what embodio needs anyway.
ROBOSUITE_NEEDS = ("numba", "termcolor")
EXTRAS = {
    "base": (),
    "vima": ("vima",),
    "all": (
        *("metaworld", "minigrid", "pusht"),
        *("tf", "vima", "hdf5", "zarr", "umi", "lerobot", "array-record", "remote", "hub", "records", "corpus"),
        *("ray", "tensorboard", "dev"),
    ),
}


class InstallError(Exception):
    """A step failed; the message says what to do."""


def pip(*arguments: str) -> str | None:
    """Installs with pip; returns None if that succeeded, else what pip said."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "-c", str(CONSTRAINTS)]
    # pip's output is hidden on success, because it complains about the dependencies that are left out on purpose.
    done = subprocess.run([*command, *arguments], cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return None if done.returncode == 0 else done.stdout


def need(*arguments: str) -> None:
    """Installs with pip and stops if that fails."""
    problem = pip(*arguments)
    if problem is not None:
        raise InstallError(f"pip could not install {' '.join(arguments)}:\n{problem}")


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU with a working driver."""
    if shutil.which("nvidia-smi") is None:
        return False
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return listing.returncode == 0 and "GPU" in listing.stdout


def pinned(package: str) -> str:
    """`package==version` as constraints.txt has it."""
    match = re.search(rf"^{re.escape(package)}==([^\s;]+)", CONSTRAINTS.read_text(), re.MULTILINE)
    if match is None:
        raise InstallError(f"constraints.txt has no line for {package}.")
    return f"{package}=={match.group(1)}"


def install_torch() -> None:
    """Installs torch: the build for the GPU if there is one, the CPU build otherwise."""
    wanted = pinned("torch")
    if has_gpu() or sys.platform != "linux":
        need(wanted)
        return
    # PyPI has the CUDA build only; builds for the CPU are marked "+cpu", so they cannot be confused.
    # First from the index that this machine's pip is configured for: PyTorch's own may be out of reach.
    if pip(f"{wanted}+cpu") is None:
        return
    problem = pip(f"{wanted}+cpu", "--extra-index-url", CPU_INDEX)
    if problem is not None:
        raise InstallError(
            f"No CPU build of {wanted} was found for Python {platform.python_version()}. If {CPU_INDEX} cannot be "
            f"reached from here, put its wheel into a folder and run: PIP_FIND_LINKS=/that/folder make run\n{problem}"
        )


def require_right_torch() -> None:
    """Makes sure that no CUDA build was installed on a machine that cannot use it."""
    found = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.version.cuda)"], capture_output=True, text=True
    )
    if found.returncode != 0:
        raise InstallError(f"torch cannot be imported:\n{found.stderr}")
    if found.stdout.strip() != "None" and sys.platform == "linux" and not has_gpu():
        raise InstallError(
            "A CUDA build of torch is installed, but this machine has no GPU. Remove the environment and start again: "
            "rm -r .venv && make run"
        )


def listed(extras: tuple[str, ...]) -> list[str]:
    """The dependencies in pyproject.toml."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return lines


def name_of(line: str) -> str:
    """The package that a line of dependencies names."""
    return re.split(r"[^\w.-]", line, maxsplit=1)[0]


def requirements(extras: tuple[str, ...]) -> list[str]:
    """The dependencies in pyproject.toml without `BARE`, and what robosuite really needs."""
    return [line for line in listed(extras) if name_of(line) not in BARE] + list(ROBOSUITE_NEEDS)


def bare(extras: tuple[str, ...]) -> list[str]:
    """Those of `BARE` that pyproject.toml asks for, pinned."""
    return [pinned(name) for name in map(name_of, listed(extras)) if name in BARE]


def fingerprint(name: str) -> str:
    """A digest of everything that decides what is installed."""
    digest = hashlib.sha256(f"{name} {sys.version} {REPO}".encode())
    for file in (REPO / "pyproject.toml", CONSTRAINTS, Path(__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def stamp(name: str) -> Path:
    """The file that records that a set was installed, with its fingerprint."""
    return Path(sys.prefix) / f".embodio-{name}"


def is_installed(name: str) -> bool:
    """Whether a set, or a larger one, was installed from the current state of the repo."""
    sets = [one for one, extras in EXTRAS.items() if set(EXTRAS[name]) <= set(extras)]
    return any(stamp(one).exists() and stamp(one).read_text() == fingerprint(one) for one in sets)


def install(name: str) -> None:
    """Installs a set.

    Raises:
        InstallError: A step failed.
    """
    if sys.prefix == sys.base_prefix:
        raise InstallError("This installs into a virtual environment only; run: make setup")
    libraries, simulators = requirements(EXTRAS[name]), bare(EXTRAS[name])
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        (pinned("torch"), install_torch),
        (f"{len(libraries)} libraries and what they need", lambda: need(*libraries)),
        (f"{', '.join(simulators)}, and embodio", lambda: need("--no-deps", *simulators, "-e", str(REPO))),
    )
    print(f"Installing into {sys.prefix}; this takes a few minutes.", flush=True)
    for number, (what, step) in enumerate(steps, start=1):
        print(f"  {number} of {len(steps)}: {what}", flush=True)
        step()
    require_right_torch()
    stamp(name).write_text(fingerprint(name))


def main(arguments: list[str]) -> int:
    """Installs the set named on the command line, if it is missing; returns the exit code."""
    if len(arguments) != 1 or arguments[0] not in EXTRAS:
        print(f"usage: install.py {'|'.join(EXTRAS)}", file=sys.stderr)
        return 2
    try:
        if not is_installed(arguments[0]):
            install(arguments[0])
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
