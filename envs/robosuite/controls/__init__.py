"""The ways to control robosuite's arms, found by listing this folder.

A control is one module with an instance `CONTROL` of `Control`; the name of the module is the name of the control.
"""

from __future__ import annotations

from collections.abc import Mapping

from embodio.envs.listed_modules import ListedModules
from embodio.envs.robosuite.control import Control

CONTROLS: Mapping[str, Control] = ListedModules(__name__, "CONTROL")
