"""Commands answer fast: what they only say needs neither the network nor a simulator, and hydra only to compose."""

from __future__ import annotations

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


@pytest.mark.parametrize("line", ANSWERS)
def test_an_answer_loads_nothing_heavy(line: str) -> None:
    code, arguments = ANSWERS[line]
    look = "import atexit, sys; atexit.register(lambda: sys.stderr.write('\\n' + ' '.join(sys.modules)));"
    done = subprocess.run([sys.executable, "-c", look + code, *arguments], capture_output=True, text=True, check=False)
    said, _, loaded = done.stderr.rpartition("\n")
    assert "Traceback" not in said
    assert done.returncode == (0 if {"--help", "--version", "list"} & {*arguments} or line == "embodio-envs" else 2)
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
