"""Training: the loop, its configuration and its commands; docs/training.md shows how.

Importing this package sets how threads wait for one another, which must happen before torch is loaded.
"""

import lazy_loader

from embodio.train.command_line.threads import sleep_while_waiting

sleep_while_waiting()

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
