"""From parts to findings: what signals have to do with what happened.

The names are those of ``__init__.pyi``, for people and type checkers alike; each is loaded when it
is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
