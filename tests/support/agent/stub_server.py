"""A process that serves the stub: `python -m tests.support.agent.stub_server PORT STOP_SECONDS`."""

from __future__ import annotations

import sys

from embodio.agent.serving.background import serve_until_signal
from embodio.agent.serving.settings import ServerSettings
from tests.support.agent.stub import StubPolicy

if __name__ == "__main__":
    settings = ServerSettings(port=int(sys.argv[1]), stop_seconds=float(sys.argv[2]))
    serve_until_signal(
        StubPolicy(), settings, lambda url: print(url, flush=True), lambda: print("stopping", flush=True)
    )
