"""Settings of all tests: one thread each, no deadlines on a busy machine, TensorFlow tests where it is installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import hypothesis
import pytest
import torch

os.environ.setdefault("MUJOCO_GL", "egl")  # before MuJoCo is imported, whichever test does so first
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

hypothesis.settings.register_profile("embodio", deadline=None, print_blob=True)
hypothesis.settings.load_profile("embodio")

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A command that a test runs in this process sets the number of threads, with which sums round differently."""
    yield
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves out what needs the extra `tf` where it is not installed."""
    if importlib.util.find_spec("tensorflow_datasets") is not None:
        return
    skip = pytest.mark.skip(reason="needs the extra tf: pip install -c constraints.txt -e '.[tf]'")
    for item in items:
        if item.get_closest_marker("tf") is not None:
            item.add_marker(skip)
