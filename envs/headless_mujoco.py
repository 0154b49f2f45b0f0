"""What every simulator on MuJoCo needs: rendering without a display, and failures reported as SimulatorError."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from embodio.envs.errors import SimulatorError

GL_REMEDY = (
    "Off-screen rendering needs EGL: on Debian and Ubuntu run `apt-get install libegl1 libgl1-mesa-dri`, or set "
    "MUJOCO_GL=osmesa after `apt-get install libosmesa6`."
)
# Warnings after which MuJoCo resets its own state in the middle of an episode.
_DIVERGED = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC", "mjWARN_BADCTRL")


def prefer_headless() -> None:
    """Have MuJoCo render without a display, unless the user says otherwise; call it before MuJoCo is first imported."""
    if sys.platform.startswith("linux"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    # Mesa's software renderer uses its own threads, for which a forked worker would wait forever. Without them frames
    # cost the same, as most of the time goes into geometry, which is single-threaded anyway.
    os.environ.setdefault("LP_NUM_THREADS", "0")


def require_healthy(data: Any) -> None:
    """Raise SimulatorError if the physics diverged (MuJoCo only warns, resets its state and continues).

    Args:
        data: MuJoCo's MjData, or robosuite's wrapper of it.
    """
    import mujoco

    for name in _DIVERGED:
        if data.warning[getattr(mujoco.mjtWarning, name)].number:
            raise SimulatorError(f"the physics diverged ({name}); reset the environment to continue")
    if not (np.isfinite(data.qpos).all() and np.isfinite(data.qvel).all()):
        raise SimulatorError("the physics diverged (positions or velocities are not finite); reset to continue")


@contextlib.contextmanager
def errors_as_simulator_error(doing: str, *others: type[BaseException]) -> Iterator[None]:
    """Turn every exception type with which MuJoCo and OpenGL report a failure, and others, into SimulatorError."""
    import mujoco

    failures = [mujoco.FatalError, mujoco.UnexpectedError, np.linalg.LinAlgError, FloatingPointError, *others]
    if "OpenGL.error" in sys.modules:
        failures.append(sys.modules["OpenGL.error"].Error)
    try:
        yield
    except tuple(failures) as error:
        raise SimulatorError(f"{doing} failed: {type(error).__name__}: {error}") from error
