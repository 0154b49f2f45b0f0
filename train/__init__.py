"""Training: the loop, its configuration and its commands.

Importing this package sets how threads wait for one another, which must happen before torch is loaded.
"""

from embodio.train.command_line.threads import sleep_while_waiting

sleep_while_waiting()
