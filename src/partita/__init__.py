"""Partita: take brain recordings apart into non-negative parts, with every label intact.

``import partita as pt`` loads numpy and xarray and nothing heavier; the rest comes on first use.
The names are those of ``__init__.pyi``, for people and type checkers alike.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
