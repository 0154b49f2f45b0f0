"""Threads of the commands: asleep while they wait, unless the user says otherwise, and as many as OMP_NUM_THREADS."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from embodio.train.command_line.threads import omp_threads, threads, waiting

COMMANDS = (
    "embodio.train.main",
    "embodio.train.commands.serve",
    "embodio.benchmarks.doctor",
    "embodio.benchmarks.rollouts.rollout",
)
LOOK = """
import importlib, os, sys

def find_spec(name, *rest):
    if name == "torch":
        print("torch with", os.environ.get("OMP_WAIT_POLICY"), flush=True)
        os._exit(0)  # torch itself takes seconds

sys.meta_path.insert(0, type("Watch", (), {"find_spec": staticmethod(find_spec)}))
importlib.import_module(sys.argv[1])
import torch
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_policy_is_set_before_torch_is_loaded(command: str) -> None:
    for given, wanted in ((None, "PASSIVE"), ("active", "active")):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
        done = subprocess.run(
            [sys.executable, "-c", LOOK, command], env=environment, capture_output=True, text=True, check=True
        )
        assert f"torch with {wanted}" in done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("given", "wanted"), [("3", 3), (" 4 ", 4), ("2,1", 2), ("", None), ("0", None), ("-1", None), ("many", None)]
)
def test_the_number_of_threads(given: str, wanted: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert omp_threads() == wanted
    assert threads(0, usual=7) == (wanted or 7) and threads(5, usual=7) == 5


def test_how_threads_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, wanted in (("PASSIVE", "sleep"), ("passive", "sleep"), ("ACTIVE", "spin"), ("", "spin")):
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
        assert waiting() == wanted
