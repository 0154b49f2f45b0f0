"""The program of another library, in the Python that has it: requests go in, answers come out as lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embodio.benchmarks.errors import PeerError

LEROBOT_PYTHON = "LEROBOT_PYTHON"
"""The variable that names the Python that has LeRobot."""

_SIDE = Path(__file__).with_name("lerobot_side.py")
_SHOWN = 2000  # last characters of what the program wrote before it ended


def lerobot_python() -> str:
    """The Python that has LeRobot; raises PeerError, which says how to make one, where none is named."""
    python = os.environ.get(LEROBOT_PYTHON, "")
    if not python:
        raise PeerError(
            f"{LEROBOT_PYTHON} names no Python that has LeRobot, which needs an environment of its own: "
            f"python3.11 -m venv peers && peers/bin/pip install lerobot==0.4.4; then {LEROBOT_PYTHON}=peers/bin/python"
        )
    return python


def packed(verb: str, arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """A request to act: a line that describes the arrays, and their bytes."""
    described = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    head = json.dumps({"verb": verb, "arrays": described}).encode()
    return b"\n".join((head, b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())))


class PeerProgram:
    """LeRobot's side, running, with one thread.

    Args:
        arguments: of `lerobot_side.py`.

    Raises:
        PeerError: no Python is named, or it does not start.
    """

    def __init__(self, *arguments: str) -> None:
        command = [lerobot_python(), str(_SIDE), *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed by close)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment
            )
        except OSError as error:
            self._errors.close()
            raise PeerError(f"{LEROBOT_PYTHON}={command[0]} does not start ({error}); name another Python") from error

    def send(self, request: bytes) -> None:
        """Sends a request; raises PeerError if the program has ended."""
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None

    def answer(self) -> dict[str, Any]:
        """The next line of the program; raises PeerError if it has ended or says something else than JSON."""
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise self._ended()
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise PeerError(f"LeRobot's side says {line[:80]!r} in place of an answer; update {_SIDE.name}") from error
        return dict(answer)

    def close(self) -> None:
        """Ends the program."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _ended(self) -> PeerError:
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-_SHOWN:]
        return PeerError(
            f"LeRobot's side ended (exit code {code}); check that {LEROBOT_PYTHON} has lerobot 0.4:\n{said}"
        )
