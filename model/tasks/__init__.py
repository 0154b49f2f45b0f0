"""Tasks: `TaskRunner` prompts the network, decodes as each task requires, and returns typed answers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
