"""In the place of a Python that has LeRobot: answers as `lerobot_side.py`, its first argument, but learns nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

side, verb = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(side.parent))
import lerobot_side  # noqa: E402


def say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def train() -> None:
    """Remembers the request as the policy."""
    request = json.loads(sys.stdin.readline())
    folder = Path(request["out"])
    folder.mkdir(parents=True)
    say({"step": 1, "minutes": request["minutes"], "loss": 2.5})
    (folder / "model.safetensors").write_text("weights")
    about = request | {"library": "none", "parameters": 3, "steps": 1}
    (folder / lerobot_side.ABOUT).write_text(json.dumps(about))
    say({"step": 1, "minutes": request["minutes"], "written": True})


def act() -> None:
    """Acts with the mean of each array, the last ten times as large."""
    say({"ready": True})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        arrays = lerobot_side.read_arrays(request["arrays"], sys.stdin.buffer)
        means = [float(array.mean()) for array in arrays.values()]
        answers = {"reset": {}, "memory": {"megabytes": 12.5}, "act": {"action": means}}
        if request["verb"] == "act" and means[0] > 200:
            sys.exit("the network fell apart")
        say(answers[request["verb"]])


train() if verb == "train" else act()
