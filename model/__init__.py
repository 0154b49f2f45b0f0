"""The Unified-IO 2 network: its tokens, its input processing, decoding, weights in and out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
