"""What a client of the stub sends."""

from __future__ import annotations

import numpy as np

from embodio.agent.client.messages import PROTOCOL

FRAME = np.zeros((128, 128, 3), np.uint8)


SEEN = {"front": FRAME}


HELLO = {"type": "hello", "protocol": PROTOCOL, "client": "raw", "embodiment": None, "session": None}
