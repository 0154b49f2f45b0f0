"""Tasks: `TaskRunner` asks the network in words, decodes as each task needs, and answers with typed values."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
