"""Made-up scenes of simple shapes on a table: drawn at random, simulated and rendered by MuJoCo, described in words."""

import os
import sys

if sys.platform.startswith("linux"):
    os.environ.setdefault("MUJOCO_GL", "egl")  # which MuJoCo reads when it is first imported
