"""Kept checkpoints: the newest of a run in `checkpoint`, older ones in `checkpoints`, pruned by a policy.

    runs/x/checkpoint             the newest
    runs/x/checkpoints/000250     an older one, of step 250
    runs/x/checkpoint.damaged     one that could not be read and was put aside

Each is complete or absent whenever the process is killed, as folders are renamed into place, and renamed before they
are removed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from embodio.model.errors import WeightsError
from embodio.model.weights.checksums import check_sums, read_sums
from embodio.model.weights.weight_files import open_weight_file
from embodio.model.writing import clear_leftovers, recover_folder, replaced, sync, write_errors
from embodio.train.errors import ResumeError

CHECKPOINT = "checkpoint"
OLDER = "checkpoints"
DAMAGED = "checkpoint.damaged"
TENSORS = "training.safetensors"
STATE = "training.json"
SHARDS = "training"
"""The folder of the parts that several processes wrote, in place of `training.safetensors`."""
_GONE = ".gone"  # ends the name of a folder that is being removed
_GROUPS = ("config", "identity", "optimiser", "parts")


def older_checkpoints(out: Path) -> dict[int, Path]:
    """Step -> folder of each checkpoint of a run before the newest, the last one first."""
    folder = out / OLDER
    found = [path for path in (folder.iterdir() if folder.is_dir() else ()) if path.name.isdigit()]
    return {int(path.name): path for path in sorted(found, key=lambda path: -int(path.name))}


def place_of_older(folder: Path, out: Path, new_step: int) -> Path | None:
    """Where a checkpoint of a run goes when a newer one replaces it; None if it is not worth keeping.

    Args:
        folder: the checkpoint.
        out: folder of the run.
        new_step: steps done in the newer one.

    Raises:
        WriteError: the folder of older ones cannot be made.
    """
    step = _step_of(folder)
    if step is None or step >= new_step:
        return None
    place = out / OLDER / f"{step:06d}"
    with write_errors(place.parent):
        place.parent.mkdir(exist_ok=True)
        _remove(place)  # of a run that went on from before it
    return place


def prune(out: Path, step: int, keep: int, keep_every: int) -> None:
    """Removes older checkpoints of a run.

    Args:
        out: folder of the run.
        step: of the newest checkpoint; later ones are of a run that went on from before them.
        keep: newest checkpoints that stay, with the newest of all.
        keep_every: those of multiples of this stay too; 0 for none.
    """
    found = older_checkpoints(out)
    stay = [older for older in found if older < step][: keep - 1]
    for older, folder in found.items():
        if older not in stay and (older > step or not keep_every or older % keep_every):
            _remove(folder)


def settle(out: Path) -> Path:
    """Finishes what a killed process left in the folder of a run; only for its sole writer.

    Returns:
        The folder of the newest checkpoint, which may not exist.
    """
    checkpoint = recover_folder(out / CHECKPOINT)
    former, step = replaced(checkpoint), _step_of(checkpoint)
    if step is not None and (place := place_of_older(former, out, step)) is not None:
        former.rename(place)
    clear_leftovers(checkpoint)
    for folder in (out / OLDER).glob(f".*{_GONE}"):
        shutil.rmtree(folder, ignore_errors=True)
    return checkpoint


class Newest(NamedTuple):
    """What `fall_back` found.

    Attributes:
        said: what was done, for the user; empty if nothing had to be.
        sound: whether there is a newest checkpoint now whose files are what their checksums say.
    """

    said: str
    sound: bool


def fall_back(out: Path) -> Newest:
    """Puts the newest sound checkpoint of a run into the place of a damaged or missing newest one.

    A damaged one is put aside as `checkpoint.damaged`. Where none is sound, everything stays as it is.

    Args:
        out: folder of the run, whose sole user this process is.

    Raises:
        ResumeError: there is no newest one and none of the older ones is sound, so that the run would begin again.
    """
    newest = settle(out)
    problem = _problem(newest) if newest.is_dir() else f"{newest} is not there"
    if not problem:
        return Newest("", sound=True)
    problems = list[str]()
    for step, folder in older_checkpoints(out).items():
        if found := _problem(folder):
            problems.append(found)
            continue
        if newest.is_dir():
            shutil.rmtree(out / DAMAGED, ignore_errors=True)
            newest.rename(out / DAMAGED)
            problem += f" It is {out / DAMAGED} now."
        folder.rename(newest)
        sync(out)
        return Newest(f"{problem}\nFalling back to the checkpoint before it, of step {step}.", sound=True)
    if problems and not newest.is_dir():
        raise ResumeError(
            f"{problem}, and none of the older checkpoints is sound: {problems[0]}. Put back a copy as {newest}, or "
            f"delete {out / OLDER} to begin again at step 0"
        )
    return Newest("", sound=False)


def _problem(folder: Path) -> str:
    """Why a checkpoint cannot be resumed from; empty if it can."""
    try:
        check_files(folder)
        if lost := [name for name in read_sums(folder) or () if not (folder / name).is_file()]:
            return f"{folder} is damaged: {lost[0]} is not there"
        read_state(folder / STATE)
        if not (folder / SHARDS).is_dir():
            open_weight_file(folder / TENSORS)
    except (WeightsError, ResumeError, OSError) as error:
        return f"{folder} is damaged: {error}"
    return ""


def check_files(folder: Path) -> None:
    """Compares all files of a checkpoint with the checksums that were saved with them; raises ChecksumError."""
    known = {TENSORS, STATE, *(read_sums(folder) or ())}
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    check_sums(folder, sorted(known & there))


def read_state(path: Path) -> dict[str, Any]:
    """Step, settings and the rest of `training.json`; raises ResumeError if it is damaged."""
    if not path.is_file():
        raise damaged(path, "it is not there")
    try:
        state = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"it is not JSON ({error})") from error
    if not isinstance(state, dict) or not all(isinstance(state.get(key, {}), dict) for key in _GROUPS):
        raise damaged(path, "it holds something else than settings")
    if "config" not in state:
        raise damaged(path, "it holds no settings")
    step, steps = state.get("step"), state["config"].get("steps")
    if type(step) is not int or not 0 <= step <= (steps if type(steps) is int else step):
        raise damaged(path, f"step {step!r} of {steps!r}")
    return state


def damaged(path: Path, problem: str) -> ResumeError:
    """The error about a file of a checkpoint that no older one can stand in for."""
    return ResumeError(
        f"{path} is damaged: {problem}. Put back a copy of {path.parent}, or delete it to begin again at step 0"
    )


def _step_of(folder: Path) -> int | None:
    """The step of a checkpoint; None where it cannot be read."""
    try:
        return int(read_state(folder / STATE)["step"])
    except (ResumeError, OSError):
        return None


def _remove(folder: Path) -> None:
    """Removes a folder; where the process is killed meanwhile, its name is free all the same."""
    if folder.exists():
        gone = folder.with_name(f".{folder.name}{_GONE}")
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
