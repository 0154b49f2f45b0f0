"""Both ends of a process that imports TensorFlow: a JSON request goes in, lines of JSON come out."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from embodio.datasets.errors import DatasetError

Progress = Callable[[int], None]

_NEEDED = ("tensorflow", "tensorflow_datasets", "rlds")
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": ""}


class MissingExtra(DatasetError):
    """The packages of the extra `tf` are missing."""


def run_program(program: str, request: Mapping[str, Any], done: Progress = lambda count: None) -> Any:
    """Runs a module of `embodio.datasets.tfds.programs` in a separate process.

    Args:
        program: name of the module.
        request: its request, as JSON.
        done: called after each with the number of episodes done so far.

    Returns:
        Its answer.

    Raises:
        MissingExtra: TensorFlow, tfds or rlds is not installed.
        DatasetError: the program failed; gives the last line of its output.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f"{', '.join(missing)}: not installed, but needed here. pip install 'embodio[tf]'")
    command = [sys.executable, "-m", f"embodio.datasets.tfds.programs.{program}"]
    answer: list[Any] = []
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            encoding="utf-8",
            env=os.environ | _QUIET,
        ) as process,
    ):
        try:
            _ask(process, request)
            for line in process.stdout or ():
                message = json.loads(line)
                if "done" in message:
                    done(message["done"])
                else:
                    answer.append(message["answer"])
        finally:
            if process.poll() is None and not answer:
                process.terminate()
            process.wait()
        said.seek(0)
        lines = [line.strip() for line in said if line.strip()]
    if process.returncode or not answer:
        why = lines[-1] if lines else f"it ended with code {process.returncode}"
        raise DatasetError(f"{request.get('folder')}: tfds cannot read it: {why}")
    return answer[0]


def _ask(process: subprocess.Popen[str], request: Mapping[str, Any]) -> None:
    if process.stdin is not None:
        try:
            process.stdin.write(json.dumps(request))
            process.stdin.close()
        except BrokenPipeError:  # it ended before reading; its output says why
            return


def serve(main: Callable[[dict[str, Any], Progress], Any]) -> None:
    """Answers one request; the other end of `run_program`.

    Args:
        main: takes the request and a function to call after each episode; returns the answer, as JSON.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # keeps the prints of libraries out of the answer

    def send(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    send({"answer": main(json.load(sys.stdin), lambda count: send({"done": count}))})
