"""Graphics libraries for rendering without a display: installs them as root, otherwise says how to."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

# EGL with Mesa's software renderer; the other two are for opencv-python.
PACKAGES = ("libegl1", "libgl1-mesa-dri", "libgl1", "libglib2.0-0")
LIBRARIES = ("libEGL.so.1", "libGL.so.1", "libgthread-2.0.so.0")


def problem() -> str | None:
    """The reason why this machine cannot render; None if it can."""
    if sys.platform != "linux":
        return None
    for library in LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            return f"The library {library} is missing."
    if os.environ.get("MUJOCO_GL", "egl") == "egl" and not egl_starts():
        return "EGL is there but finds no driver."
    return None


def egl_starts() -> bool:
    """Whether EGL can be initialised without a display."""
    code = (
        "import ctypes, sys; egl = ctypes.CDLL('libEGL.so.1'); egl.eglGetDisplay.restype = ctypes.c_void_p; "
        "display = ctypes.c_void_p(egl.eglGetDisplay(None)); sys.exit(egl.eglInitialize(display, None, None) != 1)"
    )
    # In a separate process, because a broken driver may crash it.
    environment = {**os.environ, "EGL_PLATFORM": os.environ.get("EGL_PLATFORM", "surfaceless")}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == 0


def main() -> int:
    """Checks, installs if possible, and returns the exit code."""
    found = problem()
    if found is None:
        return 0
    install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    if shutil.which("apt-get") is None:
        print(f"error: {found} Install Mesa's EGL and OpenGL libraries and GLib with your system's package manager,")
        print(f"then run this again. On Debian and Ubuntu they are: {' '.join(PACKAGES)}")
        return 1
    if os.geteuid() != 0:
        print(f"error: {found} Simulators cannot render without it; run:\n  sudo {' '.join(install)}")
        return 1
    print(f"Installing the graphics libraries: {' '.join(PACKAGES)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"error: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
            return 1
    found = problem()
    if found is not None:
        print(f"error: {found} Installing {' '.join(PACKAGES)} did not help.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
