"""A small policy for all tests of agents."""

from __future__ import annotations

import pytest

from embodio.agent import Checkpoint, PolicyFormat
from tests.support.agent.policies import (
    make_checkpoint,
    make_format,
)


@pytest.fixture(scope="session")
def policy_format() -> PolicyFormat:
    return make_format()


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    return make_checkpoint(make_format(chunk=3))
