"""Commands answer fast: what they only say needs neither the network nor a simulator, and hydra only to compose."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import pytest

from embodio.benchmarks.speed.suites.start import NUMPY, answers, seconds

HEAVY = {"torch", "mujoco", "robosuite", "matplotlib", "scipy", "cv2", "sentencepiece", "av", "PIL", "mediapy"}
HEAVY |= {"h5py", "pyarrow", "numcodecs", "fsspec", "huggingface_hub", "jinja2", "safetensors", "simplejpeg"}
COMPOSING = {"hydra", "omegaconf", "antlr4"}
MOST_MODULES = 700
"""A bare `import numpy` has 220, one with hydra 500."""
ANSWERS = answers()
FORKS = """
import atexit, json, os, sys
{start}
for number, arguments in enumerate(json.loads(sys.argv[1])):
    if not os.fork():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(str(number), os.O_WRONLY | os.O_CREAT), 2)
        atexit.register(lambda: sys.stderr.write("\\n" + " ".join(sys.modules)))
        sys.argv[1:] = arguments
        {answer}
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
"""Answers each line in a fork of a Python that has loaded what all lines of the program load first."""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Line -> exit code of its answer, and what that wrote to the standard error, the loaded modules last."""
    found = {}
    for code in {code for code, _ in ANSWERS.values()}:
        start, _, answer = code.rpartition("; ")
        lines = {line: arguments for line, (other, arguments) in ANSWERS.items() if other == code}
        folder = tmp_path_factory.mktemp("answers")
        command = [sys.executable, "-c", FORKS.format(start=start, answer=answer), json.dumps([*lines.values()])]
        codes = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        found |= {
            line: (int(number), (folder / str(place)).read_text())
            for place, (line, number) in enumerate(zip(lines, codes, strict=True))
        }
    return found


@pytest.mark.parametrize("line", ANSWERS)
def test_an_answer_loads_nothing_heavy(line: str, given: dict[str, tuple[int, str]]) -> None:
    (returned, text), arguments = given[line], ANSWERS[line][1]
    said, _, loaded = text.rpartition("\n")
    assert "Traceback" not in said
    assert returned == (0 if {"--help", "--version", "list"} & {*arguments} or line == "embodio-envs" else 2)
    modules = loaded.split()
    tops = {name.partition(".")[0] for name in modules}
    assert not HEAVY & tops
    assert len(modules) < MOST_MODULES
    if not any("=" in argument for argument in arguments if argument != "no_such_key=1"):
        assert not COMPOSING & tops
    if line not in ("embodio-envs", "embodio-rollout list"):
        assert "rich" not in tops


@pytest.mark.slow
@pytest.mark.parametrize("line", ANSWERS)
def test_an_answer_takes_little_more_than_the_start_of_python_with_numpy(line: str) -> None:
    times = [(seconds(*ANSWERS[line]), seconds(NUMPY)) for _ in range(5)]
    answer, numpy = (statistics.median(column) for column in zip(*times, strict=True))
    assert answer < 8 * numpy, "the goal is 4; twice that leaves room for a loaded machine"
