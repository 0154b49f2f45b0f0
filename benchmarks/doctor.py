"""embodio-doctor: checks of the machine, a checkpoint and an environment, each with a remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.requirements import Requirement

from embodio.agent.errors import AgentError
from embodio.benchmarks.speed.machine import PACKAGES, usable_cores
from embodio.envs import embodiment_of
from embodio.envs.embodiment import Embodiment, in_short
from embodio.envs.errors import EnvError
from embodio.model.errors import ModelError
from embodio.train.command_line.cli import run
from embodio.train.command_line.threads import omp_threads, waiting

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from embodio.agent.checkpoint import Checkpoint
    from embodio.agent.format.robot_formats import RobotFormats

Verdict = Literal["ok", "look", "wrong"]
_COLOURS = {"ok": "green", "look": "yellow", "wrong": "red"}
_LEAST_MEMORY = 2.0
_LEAST_DISK = 1.0
_RENDER_SECONDS = 180
_RENDER = """
import mujoco
scene = "<mujoco><worldbody><light pos='0 0 3'/><geom size='.1'/><camera pos='0 0 1'/></worldbody></mujoco>"
model = mujoco.MjModel.from_xml_string(scene)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 32, 32)
renderer.update_scene(data, camera=0)
print(int(renderer.render().max()))
"""


@dataclass(frozen=True)
class DoctorConfig:
    """The checkpoint and environment to examine.

    Attributes:
        agent: Name or folder of a checkpoint, folder or name of released weights with `robot`.
        env: Name of the environment to act in, or module:Class for one of your own.
        robot: The robot of released weights to act as (vima, ...), or of a checkpoint by its name; "" picks by the
            environment.
    """

    agent: str = "lift-nano"
    env: str = "robosuite/lift"
    robot: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The result of one check.

    Attributes:
        subject: What was checked.
        verdict: "ok"; "look" if it may be intended; "wrong" if acting will fail.
        found: What was found.
        remedy: What to do; empty if the verdict is "ok".
    """

    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""


def examine(config: DoctorConfig) -> list[Diagnosis]:
    """All diagnoses, in the order of the checks."""
    findings = [finding for look in (graphics, packages, threads, cuda, memory, disk) for finding in look()]
    return findings + list(checkpoint(config))


def graphics() -> Iterator[Diagnosis]:
    """Whether MuJoCo renders here, tried in a separate process because a broken driver may crash it."""
    chosen = os.environ.get("MUJOCO_GL", "egl")
    remedy = "run scripts/graphics.py" if chosen == "egl" else "set MUJOCO_GL=egl, or osmesa with libosmesa6 installed"
    environment = {**os.environ, "MUJOCO_GL": chosen}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RENDER], env=environment, capture_output=True, text=True, timeout=_RENDER_SECONDS
        )
    except subprocess.TimeoutExpired:
        yield Diagnosis("graphics", "wrong", f"MUJOCO_GL={chosen}: no picture in {_RENDER_SECONDS} s", remedy)
        return
    if done.returncode != 0 or not done.stdout.strip().isdigit():
        said = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
        yield Diagnosis("graphics", "wrong", f"MUJOCO_GL={chosen} does not render: {said}", remedy)
    elif int(done.stdout) == 0:
        yield Diagnosis("graphics", "wrong", f"MUJOCO_GL={chosen} renders black pictures", remedy)
    else:
        yield Diagnosis("graphics", "ok", f"MUJOCO_GL={chosen} renders")


def packages() -> Iterator[Diagnosis]:
    """Whether dependencies are installed in supported versions, and in those that were tried together."""
    try:
        needed = [Requirement(line) for line in requires("embodio") or ()]
    except PackageNotFoundError:
        yield Diagnosis("versions", "look", "embodio itself is not installed", "pip install -e . -c constraints.txt")
        return
    tried, there, sound = _tried(), [], True
    for requirement in needed:
        name, optional = requirement.name, requirement.marker is not None
        try:
            found = version(name)
        except PackageNotFoundError:
            if not optional:
                sound = False
                remedy = f"pip install '{name}{requirement.specifier}' -c constraints.txt"
                yield Diagnosis("versions", "wrong", f"{name} is not installed", remedy)
            continue
        remedy = f"pip install '{name}{requirement.specifier}' -c constraints.txt"
        if not requirement.specifier.contains(found, prereleases=True):
            sound = False
            mismatch = f"{name} {found} is installed, {requirement.specifier} is needed"
            yield Diagnosis("versions", "look" if optional else "wrong", mismatch, remedy)
        elif name in PACKAGES and not optional:
            there.append(f"{name} {found}")
            if tried.get(name, found) != found.partition("+")[0]:
                remedy = f"pip install {name}=={tried[name]} if something does not work"
                yield Diagnosis("versions", "look", f"{name} {found} is installed, {tried[name]} was tried", remedy)
    if sound:
        yield Diagnosis("versions", "ok", ", ".join(there))


def _tried() -> dict[str, str]:
    """Package -> version in constraints.txt; only a checkout has that file."""
    path = Path(__file__).resolve().parents[1] / "constraints.txt"
    if not path.is_file():
        return {}
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pins = [Requirement(line) for line in lines]
    return {
        pin.name: str(pin.specifier).removeprefix("==") for pin in pins if pin.marker is None or pin.marker.evaluate()
    }


def threads() -> Iterator[Diagnosis]:
    """Whether threads suit the cores: too many, or ones that spin, make decoding many times slower."""
    import torch

    used, cores, wanted, how = torch.get_num_threads(), usable_cores(), omp_threads(), waiting()
    given = f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}"
    in_force = f"{given}, OMP_WAIT_POLICY={os.environ.get('OMP_WAIT_POLICY', 'not set')}"
    most = f"set OMP_NUM_THREADS={cores} or fewer"
    if wanted is not None and wanted > cores:
        yield Diagnosis("threads", "wrong", f"{given}, there are {cores} cores", most)
    elif used > cores:
        yield Diagnosis("threads", "wrong", f"torch uses {used} threads, there are {cores} cores", most)
    elif used > 1 and how == "spin":
        remedy = "set OMP_WAIT_POLICY=PASSIVE if other programs share the cores, or OMP_NUM_THREADS=1"
        yield Diagnosis("threads", "look", f"torch uses {used} threads that spin while they wait ({in_force})", remedy)
    else:
        asleep = " that sleep while they wait" if used > 1 else ""
        named = f"{used} thread{'s' if used > 1 else ''}{asleep}"
        yield Diagnosis("threads", "ok", f"torch uses {named}, on {cores} cores ({in_force})")


def cuda() -> Iterator[Diagnosis]:
    """Whether there is a GPU, and this build of torch can use it."""
    import torch

    if torch.cuda.is_available():
        yield Diagnosis("cuda", "ok", torch.cuda.get_device_name(0))
    elif Path("/proc/driver/nvidia").exists():
        yield Diagnosis("cuda", "look", "an NVIDIA driver, but torch sees no GPU", "install the CUDA build of torch")
    else:
        yield Diagnosis("cuda", "ok", "no GPU; the network runs on the CPU")


def memory() -> Iterator[Diagnosis]:
    """Free memory, in GB; a simulator with a renderer needs about 1.2."""
    path = Path("/proc/meminfo")
    if not path.exists():
        yield Diagnosis("memory", "look", "cannot be read on this system", "see that 2 GB are free")
        return
    lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    free = int(lines["MemAvailable"].split()[0]) / 1024**2
    if free < _LEAST_MEMORY:
        yield Diagnosis("memory", "wrong", f"{free:.1f} GB free", "end other programs, or use fewer workers")
    else:
        yield Diagnosis("memory", "ok", f"{free:.1f} GB free")


def disk() -> Iterator[Diagnosis]:
    """Free space where runs are written."""
    free = shutil.disk_usage(Path.cwd()).free / 1024**3
    if free < _LEAST_DISK:
        yield Diagnosis("disk", "wrong", f"{free:.1f} GB free in {Path.cwd()}", "free some, or run in another folder")
    else:
        yield Diagnosis("disk", "ok", f"{free:.1f} GB free in {Path.cwd()}")


def checkpoint(config: DoctorConfig) -> Iterator[Diagnosis]:
    """Whether the checkpoint loads, fits the robot of the environment, and has usable statistics."""
    from embodio.agent.checkpoint import load_checkpoint
    from embodio.agent.format.robot_formats import OTHER_ROBOT
    from embodio.agent.released.loading import is_agent, load_robot
    from embodio.model.weights.checksums import sums_command

    try:
        loaded = load_robot(config.agent, config.robot) if config.robot else load_checkpoint(config.agent)
    except (AgentError, ModelError, EnvError) as error:
        yield Diagnosis("checkpoint", "wrong", str(error), "make one with embodio-train, or fetch it again")
        return
    robots = f", for the robots {loaded.robots}" if loaded.robots.named else ""
    yield Diagnosis("checkpoint", "ok", f"{loaded.folder}{robots}")
    if not loaded.sha256 and loaded.folder is not None:
        remedy = f"write it with `{sums_command(loaded.folder)}` in that folder, if you trust the files"
        yield Diagnosis("checksums", "look", "there is no SHA256SUMS, so damage cannot be noticed", remedy)
    try:
        wanted = embodiment_of(config.env)
    except EnvError as error:
        yield Diagnosis("environment", "wrong", str(error), "`embodio-envs` lists the environments")
        return
    if config.robot and not is_agent(config.agent):
        yield _released(config, loaded, wanted)
        return
    nearest = loaded.robots.pick(config.robot) if config.robot else loaded.robots.nearest(wanted)
    name = f"{nearest}, a robot" if loaded.robots.named else "the robot"
    differences = loaded.robots[nearest].embodiment.differences(wanted)
    if differences:
        found = f"{config.env} differs from {name} of {config.agent} in {in_short(differences, most=12)}"
        yield Diagnosis("environment", "wrong", found, OTHER_ROBOT)
    else:
        yield from _choice(loaded.robots, config.robot or wanted, f"{config.env} is {name} of {config.agent}")
    yield from statistics(loaded, nearest)


def _released(config: DoctorConfig, loaded: Checkpoint, wanted: Embodiment) -> Diagnosis:
    """Whether a robot of the released weights can act in the environment; it takes over its cameras and limits."""
    from embodio.agent.released.loading import released_format
    from embodio.agent.released.robots import released_robot

    try:
        released_format(released_robot(config.robot), loaded.robots.vocabulary, wanted)
    except (AgentError, EnvError) as error:
        return Diagnosis("environment", "wrong", str(error), "train from the weights with embodio-train init=")
    return Diagnosis("environment", "ok", f"{config.env} is {config.robot}, a robot of {config.agent}")


def _choice(robots: RobotFormats, wanted: Embodiment | str, found: str) -> Iterator[Diagnosis]:
    """Whether the choice of robot is clear in an environment where at least one can act."""
    try:
        robots.pick(wanted)
    except AgentError as error:
        remedy = "train with robot=, which names the one that acts, or load the agent by its name"
        yield Diagnosis("environment", "wrong", str(error), remedy)
    else:
        yield Diagnosis("environment", "ok", found)


def statistics(loaded: Checkpoint, name: str | None = None) -> Iterator[Diagnosis]:
    """Whether a robot's statistics cover its range of motion; the name None means the only robot."""
    chosen = loaded.robots[loaded.robots.pick(name)]
    robot, known = chosen.embodiment, chosen.statistics
    sound = True
    for name, dimensions in (("action", robot.action.dimensions), ("state", robot.state)):
        if name not in known.fields:
            continue  # a policy whose actions are words or use plain limits needs none
        field = known.field(name)
        for dimension, low, high in zip(dimensions, field.min, field.max, strict=True):
            span = (high - low) / (dimension.high - dimension.low)
            if span < 0.01:
                sound = False
                found = f"{name} {dimension.name} hardly moved in the data: {low:.3g} to {high:.3g}"
                yield Diagnosis("statistics", "look", found, "collect data in which it moves, if the task needs it")
    if sound:
        covered = "this policy needs none"
        if known.fields:
            covered = f"the data of {known.source or 'the data set'} covers every dimension"
        yield Diagnosis("statistics", "ok", covered)


def report(findings: Sequence[Diagnosis]) -> Table:
    """The findings as a table for the terminal."""
    from rich.table import Table

    shown = Table(title="embodio-doctor")
    for column in ("about", "", "found", "what to do"):
        shown.add_column(column, overflow="fold")
    for finding in findings:
        colour = _COLOURS[finding.verdict]
        shown.add_row(finding.subject, f"[{colour}]{finding.verdict}", finding.found, finding.remedy)
    return shown


def main(argv: Sequence[str] | None = None, console: Console | None = None) -> int:
    """The command `embodio-doctor`; returns 1 if something is wrong."""
    wrong: list[Diagnosis] = []

    def look(config: DoctorConfig) -> None:
        from rich.console import Console

        findings = examine(config)
        wrong.extend(finding for finding in findings if finding.verdict == "wrong")
        (console or Console()).print(report(findings))

    code = run(
        DoctorConfig,
        look,
        argv,
        prog="embodio-doctor",
        description="Checks the machine, a checkpoint and an environment, and says how to fix what is wrong.",
        examples=(
            "embodio-doctor",
            "embodio-doctor agent=runs/lift/checkpoint env=robosuite/lift",
            "embodio-doctor agent=downloads/uio2-large robot=vima env=vima/rotate",
        ),
        user_errors=(AgentError, EnvError, ModelError),
    )
    return code or int(bool(wrong))
